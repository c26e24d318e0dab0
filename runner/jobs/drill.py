"""The drill: files drawn at random from the backed-up tree are restored from the archive, and every hash must agree."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bkp.errors import StateError, StepFailedError
from bkp.jobs import DRILL
from bkp.state.files import make_dir
from bkp.state.reading import Missing, Unreadable
from bkp.state.records import DrillSample, Message, SampleFile
from bkp.state.results import DrillResult
from bkp.tools.borg import commands
from runner.borg_session import BorgSession, open_borg
from runner.jobs import repository
from runner.jobs.model import READ_EVERYTHING, Rights, RunnerJob
from runner.sample import read_hash

if TYPE_CHECKING:
    from bkp.config.model import Config
    from runner.jobs.model import DryRun
    from runner.lifecycle.context import RunContext
    from runner.lifecycle.recorder import StepNotes

MAX_NAMED = 10
# Giving restored files their owners, modes and file capabilities back.
_GIVE_BACK = ("CAP_CHOWN", "CAP_FSETID", "CAP_SETFCAP")
ARGUMENT_BYTES = 512 << 10


def drill(session: BorgSession) -> None:
    """Restore the recorded sample into a scratch folder and compare it. Tolerance is zero."""
    with session.recorder.step("sample") as notes:
        sample = read_sample(session)
        notes.counters |= {"files": len(sample.files), "bytes": sum(file.bytes for file in sample.files)}
    folder = scratch_dir(session.config, session.target)
    with session.recorder.step("extract") as notes:
        make_empty(folder)
        try:
            seconds = extract_sample(session, notes, sample, folder)
            result, problems = compare(sample, folder, seconds)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    with session.recorder.step("compare") as notes:
        session.recorder.update(result=result)
        insist_on_equal(session, notes, result, problems)


def insist_on_equal(session: BorgSession, notes: StepNotes, result: DrillResult, problems: list[str]) -> None:
    """Say what came back otherwise than it was backed up; raise `StepFailedError` if anything did."""
    notes.counters |= {"matched": result.matched, "mismatched": result.mismatched, "missing": result.missing}
    for problem in problems[:MAX_NAMED]:
        session.recorder.add_messages((Message(level="error", text=problem),))
        session.log.error(problem)
    if problems:
        raise StepFailedError(
            f"{len(problems)} of {result.files} restored files are not what was backed up",
            remedy="treat the repository as damaged: run `bkp-run verify`, check the disks, keep every older copy",
        )


def scratch_dir(config: Config, target: str) -> Path:
    """Return the folder that a drill restores into."""
    return Path(config.paths.scratch_dir) / f"drill-{target}"


def read_sample(context: RunContext) -> DrillSample:
    """Return the sample that the last night drew. Raise `StepFailedError` where there is none to compare."""
    reading = context.store.read_sample(context.target)
    if isinstance(reading, Missing):
        raise StepFailedError("no sample is recorded yet", remedy="run `bkp-run nightly` first: it draws one")
    if isinstance(reading, Unreadable):
        raise StepFailedError(f"the sample {reading.path} {reading.reason}", remedy="run `bkp-run nightly` again")
    if not reading.value.files:
        raise StepFailedError("the sample is empty: comparing nothing proves nothing", remedy="run `bkp-run nightly`")
    return reading.value


def make_empty(folder: Path) -> None:
    """Make the folder anew. Raise `StateError` if it cannot be."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
        make_dir(folder.parent)
        folder.mkdir(mode=0o700)
    except OSError as exc:
        raise StateError(f"cannot make scratch folder {folder}: {exc.strerror}", remedy="set paths.scratch") from exc


def extract_sample(session: BorgSession, notes: StepNotes, sample: DrillSample, folder: Path) -> float:
    """Extract the sample, in several calls where its paths are too long for one command line; return the seconds."""
    # What a program may be given (ARG_MAX) is a share of the stack's limit, and its environment counts, too.
    limit = min(ARGUMENT_BYTES, os.sysconf("SC_ARG_MAX") // 4)
    codes: list[int] = []
    started = time.monotonic()
    for paths in commands.in_chunks([file.path for file in sample.files], limit):
        arguments = commands.extract(
            session.repository, sample.archive, paths, lock_wait=session.options.lock_wait, progress=True
        )
        codes.append(session.run_borg(notes, arguments, cwd=folder).completed.exit_code)
    notes.exit_code = max(codes)
    return time.monotonic() - started


def compare(sample: DrillSample, folder: Path, seconds: float) -> tuple[DrillResult, list[str]]:
    """Return the result of comparing restored files with their recorded hashes, and a sentence per difference."""
    matched = mismatched = missing = 0
    problems = []
    for wanted in sample.files:
        found, reason = _restored(str(folder / wanted.path))
        if reason is not None:  # what cannot be read is not proven to be what was backed up
            mismatched += 1
            problems.append(f"/{wanted.path}: restored from {sample.archive}, but cannot be read: {reason}")
        elif found is None:
            missing += 1
            problems.append(f"/{wanted.path}: not restored from {sample.archive}")
        elif (found.sha256, found.bytes) != (wanted.sha256, wanted.bytes):
            mismatched += 1
            problems.append(f"/{wanted.path}: restored from {sample.archive} with another content")
        else:
            matched += 1
    result = DrillResult(
        archive=sample.archive,
        archive_id=sample.archive_id,
        files=len(sample.files),
        bytes=sum(file.bytes for file in sample.files),
        matched=matched,
        mismatched=mismatched,
        missing=missing,
        seconds=round(seconds, 3),
    )
    return result, problems


def _restored(path: str) -> tuple[SampleFile | None, str | None]:
    """Return a restored file's hash, or None if there is none; and why it cannot be read, if that is so."""
    try:
        return read_hash(path), None
    except (FileNotFoundError, NotADirectoryError):
        return None, None
    except OSError as exc:
        return None, exc.strerror or type(exc).__name__


def _dry_run(config: Config, target: str, lock_wait: float) -> DryRun:
    """Return borg's command; which files it restores depends on the sample."""
    paths = ["SAMPLED-PATHS"]
    calls = [commands.extract(config.repositories[target], "ARCHIVE", paths, lock_wait=lock_wait, progress=True)]
    return repository.dry_run(DRILL.name, config, target, calls)


def _rights(config: Config, home: str) -> Rights:
    return Rights(
        writable=(*repository.written(config, home), config.paths.scratch_dir),
        capabilities=(*READ_EVERYTHING, *_GIVE_BACK),
        restores=True,
    )


JOB = RunnerJob(DRILL, open_borg, drill, _dry_run, _rights)
