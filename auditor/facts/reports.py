"""Facts of report.*: the newest report that was kept, which somebody is to have read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.errors import BkpError
from bkp.state.audits import newest_kept

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.facts.builder import FactBuilder

_SOURCE = "state: audit/*.json"


def collect_reports(builder: FactBuilder, state: Path) -> None:
    """Add when the newest kept report was made, and its digest; None where none is kept."""
    facts = builder.of("report")
    try:
        found = newest_kept(state)
    except BkpError as exc:
        facts.fail(_SOURCE, exc.message)
        return
    facts.add(
        _SOURCE,
        {"newest_at": found.at if found else None, "newest_digest": found.digest if found else None},
    )
