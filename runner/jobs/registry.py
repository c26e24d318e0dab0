"""All jobs by name. A new job is one line here, and one in `bkp.jobs`.

A job's module is imported when the job is asked for: what disks and pools take is nothing that a nightly should load.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from bkp.jobs import JOBS

if TYPE_CHECKING:
    from runner.jobs.model import RunnerJob

_PLACES = {
    "nightly": "nightly.job:JOB",
    "check": "check:CHECK_JOB",
    "verify": "check:VERIFY_JOB",
    "drill": "drill:JOB",
    "prune": "prune:JOB",
    "scrub": "scrub.job:JOB",
    "selftest-short": "selftest.job:SHORT_JOB",
    "selftest-long": "selftest.job:LONG_JOB",
    "escrow-drill": "escrow_drill:JOB",
    "sync": "sync.job:JOB",
}


@cache
def runner_job(name: str) -> RunnerJob[Any]:
    """Return the job of that name."""
    module, _, attribute = _PLACES[name].partition(":")
    job: RunnerJob[Any] = getattr(import_module(f"runner.jobs.{module}"), attribute)
    return job


def runner_jobs() -> tuple[RunnerJob[Any], ...]:
    """Return all jobs, in the order of the table."""
    return tuple(runner_job(name) for name in JOBS)


def outliving() -> tuple[RunnerJob[Any], ...]:
    """Return the jobs whose work outlives their process."""
    return tuple(runner_job(name) for name, spec in JOBS.items() if spec.outlives_process)
