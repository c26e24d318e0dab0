"""What the exporter wants from the history: does the chain hold, and the newest of what a later run may have hidden.

The latest record of a job says nothing of the check before the one that is under way; the history does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bkp.errors import StateError
from bkp.state.archives import sources_held
from bkp.state.fields import Outcome
from bkp.state.files import open_regular
from bkp.state.reading import Missing, Unreadable
from bkp.state.records import Run
from bkp.state.results import DrillResult

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from bkp.state.ledger import ChainReport, Ledger

NIGHTLY = "nightly"
VERDICTS = frozenset({Outcome.SUCCESS, Outcome.WARNING, Outcome.FAILURE})

JobTarget = tuple[str, str]
TargetSource = tuple[str, str]


@dataclass(frozen=True)
class Verdict:
    """A run that came to a verdict: whether it was good, and when (UTC)."""

    passed: bool
    ended_at: datetime


@dataclass(frozen=True)
class Drilled:
    """A drill that compared files, and when it ended (UTC)."""

    result: DrillResult
    ended_at: datetime


@dataclass
class Digest:
    """The newest of each kind among the runs that were fed to it, and how many those were."""

    sources: dict[TargetSource, datetime] = field(default_factory=dict)
    verdicts: dict[JobTarget, Verdict] = field(default_factory=dict)
    drills: dict[str, Drilled] = field(default_factory=dict)
    succeeded: set[JobTarget] = field(default_factory=set)
    runs: int = 0

    def add(self, run: Run) -> None:
        """Take one run into account; the order of runs does not matter."""
        self.runs += 1
        key = (run.job, run.target)
        if run.outcome in {Outcome.SUCCESS, Outcome.WARNING}:
            self.succeeded.add(key)
        if run.ended_at is not None and run.outcome in VERDICTS:
            verdict = Verdict(run.outcome is not Outcome.FAILURE, run.ended_at)
            if key not in self.verdicts or verdict.ended_at >= self.verdicts[key].ended_at:
                self.verdicts[key] = verdict
        if run.drill is not None and run.ended_at is not None:
            known = self.drills.get(run.target)
            if known is None or run.ended_at >= known.ended_at:
                self.drills[run.target] = Drilled(run.drill, run.ended_at)
        if run.archive is not None and run.job == NIGHTLY:
            began = run.archive.started_at
            for source in sources_held(run.archive):  # whatever became of the run: it may have failed after that
                self.sources[run.target, source] = max(self.sources.get((run.target, source), began), began)


def digest(runs: Iterable[Run]) -> Digest:
    """Return the newest of each kind in `runs`."""
    found = Digest()
    for run in runs:
        found.add(run)
    return found


@dataclass(frozen=True)
class History:
    """One reading of the history file.

    `problem` says why it is of no use: it cannot be opened, and `chain` is then None, or has no line that can be read.
    Both are None where there is no file at all.
    """

    path: Path
    chain: ChainReport | None
    problem: str | None
    written_at: datetime | None
    digest: Digest

    @property
    def exists(self) -> bool:
        """Return whether there is anything under the history's name."""
        return self.chain is not None or self.problem is not None


def read_history(ledger: Ledger, written_at: datetime | None) -> History:
    """Read the whole history twice: once for its chain, once for its runs. Never raises for what a file may be."""
    opened = open_regular(ledger.path)
    if isinstance(opened, Missing):
        return History(ledger.path, None, None, None, Digest())
    if isinstance(opened, Unreadable):
        return History(ledger.path, None, opened.reason, None, Digest())
    opened.close()
    try:
        chain, found = ledger.verify(), digest(ledger.runs())
    except StateError as exc:
        return History(ledger.path, None, exc.message, None, Digest())
    if chain.lines == found.runs == 0 and not chain.intact:
        return History(ledger.path, chain, "has no line that can be read", None, found)
    return History(ledger.path, chain, None, written_at, found)
