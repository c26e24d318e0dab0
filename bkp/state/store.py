"""Where each state file lies, and reading all of them at once.

jobs/JOB/TARGET/latest.json     the last attempt, whatever became of it
jobs/JOB/TARGET/success.json    the last run that ended in success or warning
samples/TARGET.json             the sample for the drill (root only: it names files)
history.jsonl                   every run, chained
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bkp.state.files import PRIVATE_MODE, read_record, write_record
from bkp.state.ledger import Ledger
from bkp.state.reading import Missing, Readable, Reading
from bkp.state.records import Outcome, Run, Sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENDED_WELL = frozenset({Outcome.SUCCESS, Outcome.WARNING})


@dataclass(frozen=True)
class JobState:
    """What is recorded of one job on one target: last attempt and last success are kept apart."""

    job: str
    target: str
    latest: Reading[Run]
    success: Reading[Run]


class StateStore:
    """The state directory. Methods that write belong to bkp-run alone."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ledger = Ledger(root / "history.jsonl")

    def job_dir(self, job: str, target: str) -> Path:
        """Return the folder of one job on one target."""
        return self.root / "jobs" / job / target

    def sample_path(self, target: str) -> Path:
        """Return the file that holds the target's sample."""
        return self.root / "samples" / f"{target}.json"

    def read_job(self, job: str, target: str) -> JobState:
        """Return what is recorded of one job on one target."""
        folder = self.job_dir(job, target)
        return JobState(
            job, target, read_record(folder / "latest.json", Run), read_record(folder / "success.json", Run)
        )

    def read_sample(self, target: str) -> Reading[Sample]:
        """Return the target's sample."""
        return read_record(self.sample_path(target), Sample)

    def recorded(self) -> Iterator[tuple[str, str]]:
        """Yield every (job, target) that has a folder, configured or not."""
        for job in _folders(self.root / "jobs"):
            for target in _folders(self.root / "jobs" / job):
                yield job, target

    def write_running(self, run: Run, *, durable: bool) -> None:
        """Write the record of a run that goes on; its first one durably, its progress not."""
        write_record(self.job_dir(run.job, run.target) / "latest.json", run, durable=durable)

    def write_ended(self, run: Run) -> None:
        """Write a run's end: first into the history, then, if it ended well, as the last success, then as the latest.

        A crash between the writes leaves a `running` record whose end is in the history; `bkp-run` mends that.
        A history that cannot be written to does not keep the end out of the other records; the error is raised after.
        """
        try:
            self.ledger.append(run)
        finally:
            self.replace_latest(run)

    def replace_latest(self, run: Run) -> None:
        """Write a run that the history already holds as the latest, and as the last success if it ended well."""
        folder = self.job_dir(run.job, run.target)
        if run.outcome in ENDED_WELL:
            write_record(folder / "success.json", run)
        write_record(folder / "latest.json", run)

    def write_sample(self, sample: Sample) -> None:
        """Write the target's sample, for root's eyes only."""
        write_record(self.sample_path(sample.target), sample, mode=PRIVATE_MODE)


def value_of(reading: Reading[Run]) -> Run | None:
    """Return the record, or None where it is missing or unreadable: for callers to whom both are the same."""
    return reading.value if isinstance(reading, Readable) else None


def is_missing(reading: Reading[Run]) -> bool:
    """Return whether nothing was ever written there."""
    return isinstance(reading, Missing)


def _folders(path: Path) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []
