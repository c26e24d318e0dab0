"""A run that died left a `running` record. The next start of anything gives it its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bkp.errors import StateError
from bkp.state.fields import Outcome
from bkp.state.reading import Readable

if TYPE_CHECKING:
    from collections.abc import Callable

    from bkp.clock import Clock
    from bkp.state.records import Process, Run, Step
    from bkp.state.store import StateStore


def reconcile(
    store: StateStore, clock: Clock, is_alive: Callable[[Process], bool | None], trouble: Callable[[str], None]
) -> list[Run]:
    """Turn every `running` record whose process is provably dead into `interrupted`; return those runs.

    Work that goes on without a process of ours does not end with it: such a run is its job's to end.
    Where the history already holds the run's end (it died between two writes), that end is put back instead.
    `trouble` hears of records that could not be given their end: that must not keep tonight's work from being done.
    """
    mended = []
    for job, target in store.recorded():
        latest = store.read_job(job, target).latest
        if not isinstance(latest, Readable) or latest.value.outcome is not Outcome.RUNNING:
            continue
        run = latest.value
        if is_alive(run.process) is not False:
            continue
        try:
            if (ended := _given_its_end(store, run, clock)) is not None:
                mended.append(ended)
        except StateError as exc:
            trouble(f"the end of the run {run.run_id} of {job} on {target} cannot be recorded: {exc.message}")
    return mended


def _given_its_end(store: StateStore, run: Run, clock: Clock) -> Run | None:
    try:
        recent = store.ledger.last_runs(200)
    except StateError:  # whether its end is there cannot be known: it is recorded as interrupted
        recent = []
    ended = next((each for each in recent if each.run_id == run.run_id), None)
    if ended is None and run.outlives_process:
        return None
    if ended is None:
        return store.write_ended(interrupted(run, clock))
    store.replace_latest(ended)
    return ended


def interrupted(run: Run, clock: Clock) -> Run:
    """Return the end of a run that died: the step it was in is interrupted; when it died is not known."""
    now = clock()
    at = next((step.name for step in run.steps if step.ended_at is None), None)
    steps = tuple(_close(step) for step in run.steps)
    where = f" during {at}" if at else ""
    reason = f"died{where} without recording its end (pid {run.process.pid}); found at {now:%Y-%m-%d %H:%M:%S} UTC"
    return msgspec.structs.replace(run, outcome=Outcome.INTERRUPTED, ended_at=now, reason=reason, steps=steps)


def _close(step: Step) -> Step:
    if step.ended_at is not None:
        return step
    return msgspec.structs.replace(step, outcome=Outcome.INTERRUPTED, reason="the run died")
