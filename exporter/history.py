"""What the exporter wants from the history: does the chain hold, and the newest of what a later run may have hidden.

The latest record of a job says nothing of the check before the one that is under way; the history does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bkp.errors import StateError
from bkp.state.files import open_regular
from bkp.state.reading import Missing, Unreadable
from bkp.state.records import Archive, DrillResult, Outcome, Run

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
    """The newest of each kind among the runs that were fed to it."""

    sources: dict[TargetSource, datetime] = field(default_factory=dict)
    verdicts: dict[JobTarget, Verdict] = field(default_factory=dict)
    drills: dict[str, Drilled] = field(default_factory=dict)
    succeeded: set[JobTarget] = field(default_factory=set)

    def add(self, run: Run) -> None:
        """Take one run into account; the order of runs does not matter."""
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
            self._add_roots(run.target, run.archive)

    def _add_roots(self, target: str, archive: Archive) -> None:
        absent = {root.source for root in archive.roots if not root.present}
        for root in archive.roots:
            if root.source not in absent:  # a source with several roots is complete only with all of them
                key = (target, root.source)
                self.sources[key] = max(self.sources.get(key, archive.started_at), archive.started_at)


def digest(runs: Iterable[Run]) -> Digest:
    """Return the newest of each kind in `runs`."""
    found = Digest()
    for run in runs:
        found.add(run)
    return found


@dataclass(frozen=True)
class History:
    """One reading of the history file.

    `chain` is None where nothing could be read: `problem` then says why, or is None where there is no file at all.
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
        return History(ledger.path, ledger.verify(), None, written_at, digest(ledger.runs()))
    except StateError as exc:
        return History(ledger.path, None, exc.message, None, Digest())
