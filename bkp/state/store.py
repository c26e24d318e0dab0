"""Where each state file lies, and reading all of them at once.

jobs/JOB/TARGET/latest.json     the last attempt, whatever became of it
jobs/JOB/TARGET/success.json    the last run that ended in success or warning
observed/NAME.json              what a probe last saw (`bkp.state.observed`)
jobs/JOB/TARGET/pause.json      until when it is not run by its timer, and why
samples/TARGET.json             the sample for the drill (root only: it names files)
repositories/TARGET.json        which repository it is, and its archives' prefix
history.jsonl                   every run, chained
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import msgspec

from bkp.errors import StateError
from bkp.state.fields import Outcome
from bkp.state.files import PRIVATE_MODE, read_record, sync_dir, write_record
from bkp.state.ledger import Ledger
from bkp.state.reading import Missing, Readable, Reading, Unreadable
from bkp.state.records import DrillSample, KnownRepository, Message, Pause, Run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

T = TypeVar("T")


@dataclass(frozen=True)
class Presence:
    """Whether the state directory is there (None: it cannot be told), and why nothing can be read in it, if so."""

    there: bool | None
    problem: str | None = None


@dataclass(frozen=True)
class JobState:
    """What is recorded of one job on one target: last attempt and last success are kept apart.

    `problem` says why neither can be had, where that is not the files' own fault.
    `pause` is the newest one, over or not.
    """

    job: str
    target: str
    latest: Reading[Run]
    success: Reading[Run]
    pause: Reading[Pause]
    problem: str | None = None


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

    def presence(self) -> Presence:
        """Return whether the state directory is there and open to us. Never raises."""
        absent = Presence(there=False, problem=f"no state directory at {self.root}; run bkp-run once or check mounts")
        try:
            if not stat.S_ISDIR(self.root.stat().st_mode):
                return absent
        except (FileNotFoundError, NotADirectoryError):
            return absent
        except OSError as exc:  # a folder above it is closed to us, or its disk does not answer
            return Presence(there=None, problem=f"state directory {self.root} cannot be looked at: {exc.strerror}")
        if not os.access(self.root, os.X_OK):
            return Presence(there=True, problem=f"state directory {self.root} is closed to this user")
        return Presence(there=True)

    def read_job(self, job: str, target: str) -> JobState:
        """Return what is recorded of one job on one target.

        Without a state directory that is not known, rather than nothing: it may lie on a pool that is not mounted.
        """
        folder = self.job_dir(job, target)
        latest, success = (read_record(folder / name, Run) for name in ("latest.json", "success.json"))
        pause = read_record(folder / "pause.json", Pause)
        if isinstance(latest, Missing) and isinstance(success, Missing) and (problem := self.presence().problem):
            reason = f"cannot be looked for: {problem}"
            unknown = [Unreadable(each.path, reason) for each in (latest, success)]
            return JobState(job, target, unknown[0], unknown[1], pause, problem)
        return JobState(job, target, latest, success, pause)

    def read_sample(self, target: str) -> Reading[DrillSample]:
        """Return the target's sample."""
        return read_record(self.sample_path(target), DrillSample)

    def repository_path(self, target: str) -> Path:
        """Return the file that says which repository the target's is."""
        return self.root / "repositories" / f"{target}.json"

    def read_repository(self, target: str) -> Reading[KnownRepository]:
        """Return which repository the target's is."""
        return read_record(self.repository_path(target), KnownRepository)

    def write_repository(self, known: KnownRepository) -> None:
        """Write which repository the target's is."""
        write_record(self.repository_path(known.target), known)

    def pause_path(self, job: str, target: str) -> Path:
        """Return the file of the newest pause of a job on a target."""
        return self.job_dir(job, target) / "pause.json"

    def write_pause(self, pause: Pause) -> str | None:
        """Write a pause, and note it in the history. Return why it could not be noted, if so.

        Raise `StateError` if it cannot be written.
        """
        write_record(self.pause_path(pause.job, pause.target), pause)
        return self._noted(f"{pause.by} paused {pause.job} on {pause.target} until {pause.until}: {pause.reason}")

    def remove_pause(self, pause: Pause, by: str) -> str | None:
        """Remove a pause, and note that in the history. Return why it could not be noted, if so.

        Raise `StateError` if it cannot be removed.
        """
        path = self.pause_path(pause.job, pause.target)
        try:
            path.unlink(missing_ok=True)
            sync_dir(path.parent)
        except OSError as exc:
            raise StateError(f"cannot remove {path}: {exc.strerror}", remedy="run it as root") from exc
        return self._noted(f"{by} ended the pause of {pause.job} on {pause.target} until {pause.until}")

    def _noted(self, note: str) -> str | None:
        try:
            self.ledger.note(note)
        except StateError as exc:
            return exc.message
        return None

    def recorded(self) -> Iterator[tuple[str, str]]:
        """Yield every (job, target) that has a folder, configured or not."""
        for job in _folders(self.root / "jobs"):
            for target in _folders(self.root / "jobs" / job):
                yield job, target

    def write_running(self, run: Run, *, durable: bool) -> None:
        """Write the record of a run that goes on; its first one durably, its progress not."""
        write_record(self.job_dir(run.job, run.target) / "latest.json", run, durable=durable)

    def write_ended(self, run: Run) -> Run:
        """Write a run's end: first into the history, then, if it ended well, as the last success, then as the latest.

        A crash between the writes leaves a `running` record whose end is in the history; `bkp-run` mends that.
        A history that is damaged, or cannot be written to, keeps the end out of no other record, and is no reason to
        call a good archive a failure: the run is then recorded, and returned, with a warning. Raise `StateError` if
        the other records cannot be written.
        """
        run = self._into_history(run)
        self.replace_latest(run)
        return run

    def write_unstarted(self, run: Run) -> Run:
        """Write the end of a run that never began its work: as the latest only where that is not a run at work."""
        run = self._into_history(run)
        latest = value_of(self.read_job(run.job, run.target).latest)
        if latest is None or latest.outcome is not Outcome.RUNNING or latest.run_id == run.run_id:
            self.replace_latest(run)
        return run

    def _into_history(self, run: Run) -> Run:
        if (damage := self.ledger.damage_at_end()) is not None:
            run = with_trouble(run, damage)
        try:
            self.ledger.append(run)
        except StateError as exc:
            return with_trouble(run, f"{exc.message}: this run is missing there")
        return run

    def clear_the_way(self, job: str, target: str) -> list[str]:
        """Move folders aside that lie where records belong; return a sentence for each. Nothing is removed."""
        moved = []
        for name in ("latest.json", "success.json"):
            path = self.job_dir(job, target) / name
            if path.is_dir() and not path.is_symlink():
                aside = path.with_name(f"{name}.aside-{os.urandom(4).hex()}")
                try:
                    path.rename(aside)
                except OSError as exc:
                    raise StateError(f"cannot move {path} aside: {exc.strerror}", remedy="move it by hand") from exc
                moved.append(f"{path} was a folder; it is now {aside.name}")
        return moved

    def replace_latest(self, run: Run) -> None:
        """Write a run that the history already holds as the latest, and as the last success if it ended well."""
        folder = self.job_dir(run.job, run.target)
        if run.outcome.is_good:
            write_record(folder / "success.json", run)
        write_record(folder / "latest.json", run)

    def write_sample(self, sample: DrillSample) -> None:
        """Write the target's sample, for root's eyes only."""
        write_record(self.sample_path(sample.target), sample, mode=PRIVATE_MODE)


def with_trouble(run: Run, trouble: str) -> Run:
    """Return the run with something to be said of it, which makes of a success a success with warnings."""
    message = Message(level="warning", text=trouble)
    run = msgspec.structs.replace(run, messages=(*run.messages, message))
    if run.outcome is Outcome.SUCCESS:
        run = msgspec.structs.replace(run, outcome=Outcome.WARNING, reason=trouble)
    return run


def value_of(reading: Reading[T]) -> T | None:
    """Return the record, or None where it is missing or unreadable: for callers to whom both are the same."""
    return reading.value if isinstance(reading, Readable) else None


def _folders(path: Path) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []
