"""What the history of runs comes to: one walk over it, and the newest of each thing that a later run may hide.

The latest record of a job says nothing of the check before the one that is under way; the history does.
"""

from __future__ import annotations

import dataclasses
import os
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from bkp.errors import StateError
from bkp.state.archives import REMEMBERED, is_whole, sources_held
from bkp.state.files import modified_at, open_regular
from bkp.state.reading import Missing, Unreadable
from bkp.state.results import Archive, DrillResult

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from bkp.state.ledger import ChainReport, Ledger
    from bkp.state.records import Run

JobTarget = tuple[str, str]
TargetSource = tuple[str, str]


@dataclass(frozen=True)
class Checked:
    """A run that came to a verdict: whether it was good, and when it ended (UTC)."""

    passed: bool
    ended_at: datetime


@dataclass(frozen=True)
class Drilled:
    """A drill that compared files, and when it ended (UTC)."""

    result: DrillResult
    ended_at: datetime


@dataclass(frozen=True)
class Mailed:
    """What became of a run's mail, `sent` or `failed`, and when that run ended (UTC)."""

    result: str
    ended_at: datetime


@dataclass
class Past:
    """What past runs come to.

    Attributes:
        sources: start of the newest archive that holds all of a source, by target and source.
        verdicts: the newest verdict of each job on each target.
        drills: the newest drill of each target that compared files.
        succeeded: the jobs and targets that ever succeeded.
        archives: the whole archives of nights that ended well, by target, oldest first, the last `REMEMBERED`; without
            their roots.
        mail: what became of the newest mail.
        run_ids: every run that has a line in the history.
    """

    sources: dict[TargetSource, datetime] = field(default_factory=dict)
    verdicts: dict[JobTarget, Checked] = field(default_factory=dict)
    drills: dict[str, Drilled] = field(default_factory=dict)
    succeeded: set[JobTarget] = field(default_factory=set)
    archives: dict[str, deque[Archive]] = field(default_factory=dict)
    mail: Mailed | None = None
    run_ids: set[str] = field(default_factory=set)

    def see(self, run: Run) -> None:
        """Take in a run of the history; they come oldest first."""
        self.run_ids.add(run.run_id)
        if run.outcome.is_good and run.archive is not None and is_whole(run.archive):
            slim = msgspec.structs.replace(run.archive, roots=(), left_out=())  # hundreds of them are kept in memory
            self.archives.setdefault(run.target, deque(maxlen=REMEMBERED)).append(slim)
        self.see_record(run)

    def see_record(self, run: Run) -> None:
        """Take in the record of a run that the history may hold as well; their order does not matter."""
        key = (run.job, run.target)
        if run.outcome.is_good:
            self.succeeded.add(key)
        if (ended := run.ended_at) is None:
            return
        if run.outcome.is_verdict and _is_newer(self.verdicts.get(key), ended):
            self.verdicts[key] = Checked(run.outcome.is_good, ended)
        if isinstance(run.result, DrillResult) and _is_newer(self.drills.get(run.target), ended):
            self.drills[run.target] = Drilled(run.result, ended)
        if run.mail in {"sent", "failed"} and _is_newer(self.mail, ended):
            self.mail = Mailed(str(run.mail), ended)
        if run.archive is not None:
            began = run.archive.started_at
            for source in sources_held(run.archive):  # even of a run that failed later on
                self.sources[run.target, source] = max(self.sources.get((run.target, source), began), began)

    def with_records(self, records: list[Run]) -> Past:
        """Return what the history and these records come to: a crash can leave either behind the other."""
        merged = dataclasses.replace(
            self,
            sources=dict(self.sources),
            verdicts=dict(self.verdicts),
            drills=dict(self.drills),
            succeeded=set(self.succeeded),
        )
        for run in records:
            merged.see_record(run)
        return merged


def _is_newer(known: Checked | Drilled | Mailed | None, ended: datetime) -> bool:
    return known is None or ended >= known.ended_at


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
        chain = ledger.walk(past.see)
    except StateError as exc:
        return History(ledger.path, problem=exc.message.removeprefix(f"the history {ledger.path} "))
    unread = not past.run_ids and not chain.lines and not chain.intact
    problem = "has no line that can be read" if unread else None
    return History(ledger.path, past, chain, problem, None if unread else written_at)
