"""The history file, read once: what its runs come to, and whether its chain holds."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bkp.errors import StateError
from bkp.past import Past
from bkp.state.files import modified_at, open_regular
from bkp.state.reading import Missing, Unreadable

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from bkp.state.ledger import ChainReport, Ledger


@dataclass(frozen=True)
class History:
    """One reading of the history file.

    `problem` says why it is of no use: it cannot be opened, and `chain` is then None, or has no line that can be read.
    Both are None where there is no file at all.
    """

    path: Path
    past: Past = field(default_factory=Past)
    chain: ChainReport | None = None
    problem: str | None = None
    written_at: datetime | None = None

    @property
    def exists(self) -> bool:
        """Return whether there is anything under the history's name."""
        return self.chain is not None or self.problem is not None

    @property
    def break_(self) -> str | None:
        """Return where its chain does not hold; None if it holds, or if it cannot be read at all."""
        if self.chain is None or self.chain.intact:
            return None
        return self.chain.problem or "its last line is torn"


def read_history(ledger: Ledger) -> History:
    """Read the whole history once. Never raises for anything that the file may be."""
    opened = open_regular(ledger.path)
    if isinstance(opened, Missing):
        return History(ledger.path)
    if isinstance(opened, Unreadable):
        return History(ledger.path, problem=opened.reason)
    written_at = modified_at(os.fstat(opened.fileno()).st_mtime_ns)
    opened.close()
    past = Past()
    try:
        chain = ledger.walk(past.see, past.see_mail)
    except StateError as exc:
        return History(ledger.path, problem=exc.message.removeprefix(f"the history {ledger.path} "))
    unread = not past.run_ids and not chain.lines and not chain.intact
    problem = "has no line that can be read" if unread else None
    return History(ledger.path, past, chain, problem, None if unread else written_at)
