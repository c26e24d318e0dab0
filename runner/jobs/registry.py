"""All jobs by name, in the order of the table. A new job is one line here, and one in `bkp.jobs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bkp.jobs import JOBS
from runner.jobs import check, drill, escrow_drill, prune
from runner.jobs.nightly import job as nightly
from runner.jobs.scrub import job as scrub
from runner.jobs.selftest import job as selftest
from runner.jobs.sync import job as sync

if TYPE_CHECKING:
    from runner.jobs.model import RunnerJob

_ALL: tuple[RunnerJob[Any], ...] = (
    nightly.JOB,
    check.CHECK_JOB,
    check.VERIFY_JOB,
    drill.JOB,
    prune.JOB,
    scrub.JOB,
    selftest.SHORT_JOB,
    selftest.LONG_JOB,
    escrow_drill.JOB,
    sync.JOB,
)
_BY_NAME = {job.spec.name: job for job in _ALL}

RUNNER_JOBS: dict[str, RunnerJob[Any]] = {name: _BY_NAME[name] for name in JOBS}
OUTLIVING = tuple(job for job in RUNNER_JOBS.values() if job.spec.outlives_process)
