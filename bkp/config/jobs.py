"""The section `jobs:`: one field for each job of the table `bkp.jobs`, with that job's own defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from bkp.calendar import Schedule
from bkp.config.section import Section
from bkp.config.values import Duration
from bkp.jobs import JOBS, JobSpec


class Job(Section, frozen=True, kw_only=True):
    """When a job runs, and how long after that it counts as late.

    `timeout` is a key of those jobs whose work ends with their process; the others have none.
    """

    schedule: Schedule | None
    grace: Duration = Duration(hours=2)
    timeout: ClassVar[Duration | None] = None

    def __post_init__(self) -> None:
        if self.timeout is not None and not self.timeout:
            raise ValueError("timeout is 0: the job would end before it begins; leave it out for no limit")


class _JobTable(Section, frozen=True, kw_only=True):
    """The jobs of bkp-run. A job set to `schedule: null` is run by hand only and is never late."""

    def items(self) -> tuple[tuple[str, Job], ...]:
        """Return the jobs by name, in the order of the table."""
        return tuple((name, getattr(self, spec.key)) for name, spec in JOBS.items())

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Job: ...


def _section_of(spec: JobSpec) -> type[Job]:
    """Return the section of one job. Whoever sets only the schedule keeps the job's own grace, and the reverse."""
    defaults: list[tuple[str, Any, Any]] = [
        ("schedule", Schedule | None, Schedule(spec.schedule) if spec.schedule else None),
        ("grace", Duration, Duration.parse(spec.grace)),
        *([] if spec.outlives_process else [("timeout", Duration | None, None)]),
    ]
    section: type[Job] = msgspec.defstruct(  # type: ignore[assignment]  # the stub forgets `bases`
        f"{spec.key.title().replace('_', '')}Job",
        defaults,
        bases=(Job,),
        namespace={"__doc__": f"{spec.title}."},
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    )
    return section


if TYPE_CHECKING:
    Jobs = _JobTable
else:  # one field for each job of the table
    Jobs = msgspec.defstruct(
        "Jobs",
        [(spec.key, section := _section_of(spec), section()) for spec in JOBS.values()],
        bases=(_JobTable,),
        namespace={"__doc__": _JobTable.__doc__},
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    )
