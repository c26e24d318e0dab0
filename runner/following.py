"""Which runs are to be looked after: work that goes on without a process, and what was put off and may begin now."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from bkp import pauses
from bkp.state.fields import Outcome
from bkp.state.store import value_of
from bkp.status import deadline
from runner.jobs.registry import outliving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime, tzinfo

    from bkp.config.model import Config
    from bkp.state.records import Process, Run
    from bkp.state.store import StateStore

FOLLOW_EVERY = timedelta(minutes=5)


class Follow(NamedTuple):
    """One run to look after. `why` says so in words."""

    job: str
    target: str
    why: str


def to_follow(
    config: Config,
    store: StateStore,
    now: Callable[[], datetime],
    zone: tzinfo,
    is_alive: Callable[[Process], bool | None],
) -> Iterator[Follow]:
    """Yield what is to be looked after, asking the hardware only where a run was put off.

    Each is looked at when the one before it has been dealt with: a test that begins keeps the next disk waiting. What
    is paused does not begin, and goes on where it had begun.
    """
    for job in outliving():
        name = job.spec.name
        for target in config.targets(name):
            state = store.read_job(name, target)
            latest = value_of(state.latest)
            if latest is None:
                continue
            if _goes_on(latest, is_alive):
                yield Follow(name, target, "it goes on without a process")
            elif pauses.in_force(state.pause, name, target, now()) is not None:
                continue
            elif latest.outcome is Outcome.DEFERRED and job.hindrance is not None:
                success = value_of(state.success)
                due = deadline(config.job(name), success.started_at if success is not None else None, zone)
                if job.hindrance(config, target) is None:
                    yield Follow(name, target, f"it was deferred ({latest.reason}), and can begin now")
                elif due is not None and now() > due:
                    yield Follow(name, target, f"it was deferred ({latest.reason}) until its deadline passed")


def _goes_on(run: Run, is_alive: Callable[[Process], bool | None]) -> bool:
    return run.outcome is Outcome.RUNNING and run.outlives_process and is_alive(run.process) is False
