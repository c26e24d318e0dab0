"""When work that is put off again and again has failed: once its deadline has passed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.clock import local_zone
from bkp.errors import StepFailedError
from bkp.jobs import JOBS
from bkp.state.store import value_of
from bkp.status import deadline

if TYPE_CHECKING:
    from runner.lifecycle.context import RunContext


def too_late(context: RunContext, why: str) -> StepFailedError | None:
    """Return the failure of a run that was put off until its deadline; None if there is time left.

    A job that never succeeded has no deadline yet: its status says `never`, whatever put it off.
    """
    run = context.recorder.run
    success = value_of(context.store.read_job(run.job, run.target).success)
    due = deadline(context.config.job(run.job), success.started_at if success is not None else None, local_zone())
    if due is None or context.clock() <= due:
        return None
    call = " ".join(("bkp-run", *JOBS[run.job].words))
    return StepFailedError(
        f"its deadline has passed, and it still cannot begin: {why}", remedy=f"see to that, then `{call}`"
    )
