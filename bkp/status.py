"""Recorded facts and a clock make a status. Pure: nothing here looks at a host.

A job is late when its deadline has passed: the first elapse of its schedule after the start of the last success, plus
grace. Nothing that is not known is ever `ok`, nor is a job whose schedule elapses no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from bkp.state.fields import Outcome
from bkp.state.reading import Missing, Readable, Unreadable

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

    from bkp.config.jobs import Job
    from bkp.state.records import Run
    from bkp.state.store import JobState


class Status(StrEnum):
    """What a job is, seen now."""

    OK = "ok"
    LATE = "late"
    FAILED = "failed"
    NEVER = "never"
    RUNNING = "running"
    UNKNOWN = "unknown"

    @property
    def is_well(self) -> bool:
        """Return whether nobody has to look. Unknown is not well."""
        return self in {Status.OK, Status.RUNNING}


@dataclass(frozen=True)
class JobStatus:
    """A job's status on one target, with the sentence that explains it. Times are UTC.

    A job that is not `scheduled` is run by hand only.
    """

    job: str
    target: str
    status: Status
    explanation: str
    deadline: datetime | None
    last_attempt_at: datetime | None
    last_success_at: datetime | None
    warnings: bool = False
    scheduled: bool = True

    @property
    def needs_attention(self) -> bool:
        """Return whether a person has to look. A job for by hand only that nobody has ever run needs nobody."""
        return not self.status.is_well and not self.is_unused

    @property
    def is_unused(self) -> bool:
        """Return whether it is run by hand only, and nobody has run it."""
        return self.status is Status.NEVER and not self.scheduled


def deadline(job: Job, last_success_started_at: datetime | None, zone: tzinfo) -> datetime | None:
    """Return when the job counts as late.

    None: it has no schedule, never succeeded (which is a status itself), or its schedule elapses no more.
    """
    if job.schedule is None or last_success_started_at is None:
        return None
    elapse = job.schedule.next_after(last_success_started_at, zone)
    return elapse + job.grace if elapse else None


def job_status(
    state: JobState, job: Job, now: datetime, zone: tzinfo, *, alive: bool | None, before: datetime | None = None
) -> JobStatus:
    """Return the status of one job. `alive` says whether a `running` record's process lives; None if not known.

    `before` is when the last success began that is not from the future: what follows from one that is lies years away.
    """
    success = state.success.value if isinstance(state.success, Readable) else None
    latest = state.latest.value if isinstance(state.latest, Readable) else None
    begun = success.started_at if success is not None else None
    due = deadline(job, before if begun is not None and begun > now else begun, zone)
    status, explanation = _judge(state, latest, success, due, now, alive)
    if status is Status.OK and due is None and job.schedule is not None:
        # Not "never late": whoever wrote a schedule wants to hear that nothing comes of it any more.
        status, explanation = (
            Status.UNKNOWN,
            f"its schedule {job.schedule} elapses no more: when it is due is not known",
        )
    return JobStatus(
        job=state.job,
        target=state.target,
        status=status,
        explanation=explanation,
        deadline=due,
        last_attempt_at=latest.started_at if latest else None,
        last_success_at=success.ended_at if success else None,
        warnings=latest is not None
        and (end := latest.end) is not None
        and end.outcome is Outcome.WARNING
        and latest.outcome is not Outcome.RUNNING,
        scheduled=job.schedule is not None,
    )


def _judge(
    state: JobState, latest: Run | None, success: Run | None, due: datetime | None, now: datetime, alive: bool | None
) -> tuple[Status, str]:
    unreadable = _unreadable(state)
    if unreadable is not None:
        return Status.UNKNOWN, unreadable
    if latest is None:
        if success is None and isinstance(state.latest, Missing):
            return Status.NEVER, "no run is recorded"
        return Status.UNKNOWN, "the record of the last attempt is gone"
    if _is_ahead(latest, now) or (success is not None and _is_ahead(success, now)):
        if due is not None and now > due:
            passed = "its deadline has passed by the last success that does not lie in the future"
            return Status.LATE, passed if _is_ahead(latest, now) else _late(latest, alive)
        if not _is_ahead(latest, now) and latest.outcome is not Outcome.RUNNING and latest.end is not None:
            ended = _ended(latest, has_succeeded=True)
            if ended[0] is Status.FAILED:  # a success from the future does not hide it
                return ended
        return Status.UNKNOWN, "a record lies in the future: the clock was moved"
    if due is not None and now > due:
        return Status.LATE, _late(latest, alive)
    if latest.outcome is Outcome.RUNNING:
        return _running(latest, alive, has_succeeded=success is not None)
    return _ended(latest, has_succeeded=success is not None)


def _is_ahead(run: Run, now: datetime) -> bool:
    return max(run.started_at, run.ended_at or run.started_at) > now


def _ended(latest: Run, *, has_succeeded: bool) -> tuple[Status, str]:
    """Return what the last end says. That of a deferred run is the end before it."""
    end = latest.end
    deferred = f"deferred: {latest.reason}" if latest.outcome is Outcome.DEFERRED else None
    if end is None:
        return Status.NEVER, f"no run has come to an end; the last one was {deferred}"
    if end.outcome.is_trouble:
        return Status.FAILED, end.reason or f"the last run ended in {end.outcome}"
    if not has_succeeded:
        return Status.UNKNOWN, "the record of the last success is gone"
    return Status.OK, deferred or end.reason or f"the last run ended in {end.outcome}"


def _unreadable(state: JobState) -> str | None:
    found = (each for each in (state.latest, state.success) if isinstance(each, Unreadable))
    return state.problem or next((f"{each.path.name} {each.reason}" for each in found), None)


def _running(latest: Run, alive: bool | None, *, has_succeeded: bool) -> tuple[Status, str]:
    """Return what a run under way says. To begin is not to mend: what was wrong stands until a run has ended well."""
    if alive is None and not latest.outlives_process:
        return Status.UNKNOWN, "a run has begun; whether it still lives is not known"
    if not alive and not latest.outlives_process:
        return Status.FAILED, "the last run died without an end"
    words = "a run is under way" + ("" if alive else "; it goes on without a process of bkp-run")
    before = latest.before
    if before is not None and before.outcome.is_trouble:
        return Status.FAILED, f"{before.reason or f'the run before ended in {before.outcome}'}; {words}"
    if before is not None and before.outcome.is_good and not has_succeeded:
        return Status.UNKNOWN, f"the record of the last success is gone; {words}"
    return Status.RUNNING, words


def _late(latest: Run, alive: bool | None) -> str:
    if latest.outcome is Outcome.RUNNING:
        if alive is None and not latest.outlives_process:
            return "its deadline has passed; a run has begun, and whether it still lives is not known"
        lives = alive or latest.outlives_process
        return "its deadline has passed, and " + (
            "a run is still under way" if lives else "the last run died without an end"
        )
    if latest.outcome.is_trouble:
        return f"its deadline has passed; the last run: {latest.reason or latest.outcome}"
    if latest.outcome is Outcome.DEFERRED:
        return f"its deadline has passed; the last run was deferred: {latest.reason}"
    return "its deadline has passed and no run was made"
