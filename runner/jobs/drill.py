"""The drill: files drawn at random from the backed-up tree are restored from the archive, and every hash must agree."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bkp.errors import StateError, StepFailedError
from bkp.state.files import make_dir
from bkp.state.reading import Missing, Unreadable
from bkp.state.records import Message, Sample, SampleFile
from bkp.state.results import DrillResult
from bkp.tools.borg import commands
from runner.sample import read_hash

if TYPE_CHECKING:
    from bkp.config.model import Config
    from runner.lifecycle.context import JobContext
    from runner.lifecycle.recorder import StepNotes

MAX_NAMED = 10
ARGUMENT_BYTES = 512 << 10


def drill(context: JobContext) -> None:
    """Restore the recorded sample into a scratch folder and compare it. Tolerance is zero."""
    with context.recorder.step("sample") as notes:
        sample = _read_sample(context)
        notes.counters |= {"files": len(sample.files), "bytes": sum(file.bytes for file in sample.files)}
    folder = scratch_dir(context.config, context.target)
    with context.recorder.step("extract") as notes:
        _make_empty(folder)
        try:
            seconds = _extract(context, notes, sample, folder)
            result, problems = compare(sample, folder, seconds)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    with context.recorder.step("compare") as notes:
        context.recorder.update(drill=result)
        notes.counters |= {"matched": result.matched, "mismatched": result.mismatched, "missing": result.missing}
        for problem in problems[:MAX_NAMED]:
            context.recorder.add_messages((Message(level="error", text=problem),))
            context.log.error(problem)
        if problems:
            raise StepFailedError(
                f"{len(problems)} of {result.files} restored files are not what was backed up",
                remedy="treat the repository as damaged: run `bkp-run verify`, check the disks, keep every older copy",
            )


def scratch_dir(config: Config, target: str) -> Path:
    """Return the folder that a drill restores into."""
    return Path(config.paths.scratch_dir) / f"drill-{target}"


def _read_sample(context: JobContext) -> Sample:
    reading = context.store.read_sample(context.target)
    if isinstance(reading, Missing):
        raise StepFailedError("no sample is recorded yet", remedy="run `bkp-run nightly` first: it draws one")
    if isinstance(reading, Unreadable):
        raise StepFailedError(f"the sample {reading.path} {reading.reason}", remedy="run `bkp-run nightly` again")
    if not reading.value.files:
        raise StepFailedError("the sample is empty: comparing nothing proves nothing", remedy="run `bkp-run nightly`")
    return reading.value


def _make_empty(folder: Path) -> None:
    try:
        shutil.rmtree(folder, ignore_errors=True)
        make_dir(folder.parent)
        folder.mkdir(mode=0o700)
    except OSError as exc:
        raise StateError(f"cannot make scratch folder {folder}: {exc.strerror}", remedy="set paths.scratch") from exc


def _extract(context: JobContext, notes: StepNotes, sample: Sample, folder: Path) -> float:
    """Extract the sample, in several calls where its paths are too long for one command line; return the seconds."""
    # What a program may be given (ARG_MAX) is a share of the stack's limit, and its environment counts, too.
    limit = min(ARGUMENT_BYTES, os.sysconf("SC_ARG_MAX") // 4)
    codes: list[int] = []
    started = time.monotonic()
    for paths in commands.in_chunks([file.path for file in sample.files], limit):
        arguments = commands.extract(
            context.repository, sample.archive, paths, lock_wait=context.options.lock_wait, progress=True
        )
        codes.append(context.run_borg(notes, arguments, cwd=folder).completed.exit_code)
    notes.exit_code = max(codes)
    return time.monotonic() - started


def compare(sample: Sample, folder: Path, seconds: float) -> tuple[DrillResult, list[str]]:
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


def planned(config: Config, target: str, lock_wait: float) -> list[tuple[str, ...]]:
    """Return borg's arguments for --dry-run; which files depends on the sample."""
    return [
        commands.extract(config.repositories[target], "ARCHIVE", ["SAMPLED-PATHS"], lock_wait=lock_wait, progress=True)
    ]
