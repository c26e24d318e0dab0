"""Ends of runs that the state directory could not take: kept beside the locks until it can.

    paths.lock/unrecorded-RUN-JOB-TARGET.json    one for each such run, the newest `MOST` of them

A state directory that is full or read-only would else go on telling of the last good night.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from bkp.jobs import JOBS
from bkp.state.files import read_record, write_record
from bkp.state.reading import Missing, Readable
from bkp.state.records import Run
from bkp.state.store import value_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bkp.state.store import JobState, StateStore

MOST = 100
_PREFIX = "unrecorded-"
_RECENT = 200  # runs among which the history may hold one already whose record could not be written


def park(folder: Path, run: Run) -> None:
    """Keep the end of a run that could not be recorded. Raise `StateError` if it cannot be kept here either."""
    write_record(_path(folder, run), run)
    for old in list(parked(folder))[:-MOST]:
        forget(folder, old)


def parked(folder: Path) -> Iterator[Run]:
    """Yield the runs that are kept, oldest first, as far as they can be read."""
    for path in sorted(folder.glob(f"{_PREFIX}*.json")):
        reading = read_record(path, Run)
        if isinstance(reading, Readable):
            yield reading.value


def forget(folder: Path, run: Run) -> None:
    """Remove a run that is recorded by now."""
    with contextlib.suppress(OSError):
        _path(folder, run).unlink()


def with_parked(state: JobState, folder: Path) -> JobState:
    """Return the state of a job with the run that is kept for it as its last attempt, if that is newer.

    One that cannot be read is known by its name alone. It is the last attempt all the same: how that ended is unknown.
    """
    paths = sorted(_kept(folder, state.job, state.target))
    reading = read_record(paths[-1], Run) if paths else None
    if reading is None or isinstance(reading, Missing):  # recorded this moment
        return state
    latest = value_of(state.latest)
    if latest is None:
        newer = True
    elif isinstance(reading, Readable):
        newer = latest.started_at < reading.value.started_at
    else:
        newer = _path(folder, latest).name < reading.path.name
    return replace(state, latest=reading) if newer else state


def _kept(folder: Path, job: str, target: str) -> set[Path]:
    """Return the files of a job on a target, and not of one whose name ends with that job's."""
    longer = [name for name in JOBS if name.endswith(f"-{job}")]
    others = (path for name in longer for path in folder.glob(f"{_PREFIX}*-{name}-{target}.json"))
    return {*folder.glob(f"{_PREFIX}*-{job}-{target}.json")} - {*others}


def is_parked(path: Path) -> bool:
    """Return whether the file is that of a run that is kept here, rather than one of the state directory."""
    return path.name.startswith(_PREFIX)


def record_parked(folder: Path, store: StateStore) -> list[Run]:
    """Record what is kept, now that the state may take it; return those runs. Raise `StateError` if it cannot yet."""
    done = []
    for run in list(parked(folder)):
        if any(each.run_id == run.run_id for each in store.ledger.last_runs(_RECENT)):
            store.replace_latest(run)
        else:
            store.write_unstarted(run)
        forget(folder, run)
        done.append(run)
    return done


def _path(folder: Path, run: Run) -> Path:
    return folder / f"{_PREFIX}{run.run_id}-{run.job}-{run.target}.json"
