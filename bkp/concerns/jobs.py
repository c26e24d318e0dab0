"""Concerns about jobs: late, failed, never run, unknown, with warnings, or paused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.concerns.model import Concern
from bkp.jobs import JOBS
from bkp.state.fields import Outcome
from bkp.status import Status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, tzinfo

    from bkp.concerns.model import ConcernSeverity
    from bkp.state.records import Pause
    from bkp.survey import Standing, Survey

_KIND = {
    Status.LATE: "job_late",
    Status.NEVER: "job_never",
    Status.FAILED: "job_failed",
    Status.UNKNOWN: "job_unknown",
}


def concerns(survey: Survey) -> Iterator[Concern]:
    """Yield them."""
    for standing in survey.standings:
        if standing.clock_ahead:
            yield _about(
                standing,
                *("clock_ahead", "warning", "a record of it lies in the future: the clock was ahead, or is behind now"),
                "set the clock (`timedatectl`); the next run that ends makes it good",
            )
        if standing.status.needs_attention and not standing.is_excused:
            if not _is_said_by_the_clock(standing):
                yield _trouble(standing)
        elif not standing.clock_ahead and (why := _warned(standing)) is not None:
            yield _about(standing, "job_warnings", "warning", why, "read its log", run=_ended(standing))
        if standing.pause is not None:
            yield _paused(standing, standing.pause, survey.zone)


def _is_said_by_the_clock(standing: Standing) -> bool:
    """Return whether nothing but the clock is in doubt: by an earlier success, not from the future, it is not late."""
    status = standing.status
    known = status.deadline is not None or not status.scheduled
    return standing.clock_ahead and status.status is Status.UNKNOWN and known


def _paused(standing: Standing, pause: Pause, zone: tzinfo) -> Concern:
    meanwhile = f"; meanwhile {standing.status.explanation}" if standing.is_excused else ""
    until = f"{pause.until.astimezone(zone):%Y-%m-%d %H:%M %Z}"
    return _about(
        standing,
        *("job_paused", "info", f"{pause.by} paused it until {until}: {pause.reason}{meanwhile}"),
        f"`bkp-run resume {standing.job} --target {standing.target}` ends the pause",
        pause.paused_at,
    )


def _trouble(standing: Standing) -> Concern:
    kind = _KIND[standing.status.status]
    since = standing.status.deadline if standing.status.status is Status.LATE else None
    if standing.status.status is Status.FAILED and standing.latest is not None and (end := standing.latest.end):
        since = end.ended_at
    remedy = standing.latest.remedy if standing.latest is not None else None
    call = " ".join(("bkp-run", *JOBS[standing.job].words))
    return _about(
        standing,
        kind,
        _severity(standing),
        standing.status.explanation,
        remedy or f"`{call} --target {standing.target}` runs it now; its log says more",
        since,
        run=_ended(standing) if standing.status.status is Status.FAILED else None,
    )


def _warned(standing: Standing) -> str | None:
    """Return what the last run that ended warns of. To begin another is not to mend."""
    latest = standing.latest
    if latest is None or (end := latest.end) is None or end.outcome is not Outcome.WARNING:
        return None
    if latest.outcome is not Outcome.RUNNING:
        return standing.status.explanation
    return f"{end.reason or 'the run before ended with warnings'}; {standing.status.explanation}"


def _ended(standing: Standing) -> str | None:
    return end.run_id if standing.latest is not None and (end := standing.latest.end) else None


def _severity(standing: Standing) -> ConcernSeverity:
    """Return how grave it is. A job that failed is tried again before its deadline, unless it judges its target."""
    spec, status = JOBS[standing.job], standing.status.status
    if status is Status.FAILED:
        judged = standing.latest is not None and (end := standing.latest.end) and end.outcome is Outcome.FAILURE
        return "critical" if spec.verdict and judged else "warning"
    return late_severity(standing.job)


def late_severity(job: str) -> ConcernSeverity:
    """Return how grave it is when a job is late, never ran, or nobody knows."""
    return "critical" if JOBS[job].is_vital else "warning"


def _about(
    standing: Standing,
    kind: str,
    severity: ConcernSeverity,
    why: str,
    remedy: str,
    since: datetime | None = None,
    run: str | None = None,
) -> Concern:
    name = f"{standing.job} on {standing.target}"
    return Concern(kind, severity, name, f"{name}: {why}", remedy, since, (standing.job, standing.target), run)
