"""The card of one job on one target: its status, why, since when, and what comes next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bkp.jobs import JOBS
from bkp.quantities import format_duration
from bkp.state.descriptions import describe
from bkp.state.fields import Outcome
from bkp.status import Status
from exporter.page.parts import Row, length, moment_of

if TYPE_CHECKING:
    from bkp.survey import Standing, Survey

WORDS = {
    Status.OK: "ok",
    Status.LATE: "late",
    Status.FAILED: "failed",
    Status.NEVER: "never ran",
    Status.RUNNING: "running",
    Status.UNKNOWN: "unknown",
}


UNUSED = "unused"  # the class of a card whose job is run by hand only and never was: nobody has to look


@dataclass(frozen=True)
class JobCard:
    """One job on one target. `status` is a status, or `UNUSED`."""

    anchor: str
    job: str
    target: str
    status: str
    word: str
    why: str
    rows: tuple[Row, ...]


def job_card(survey: Survey, job: Standing) -> JobCard:
    """Return the card of a job."""
    status = job.status
    return JobCard(
        anchor=f"{job.job}-{job.target}",
        job=job.job,
        target=job.target,
        status=UNUSED if status.is_unused else status.status.value,
        word=WORDS[status.status],
        why=sentence(status.explanation),
        rows=tuple(_job_rows(survey, job)),
    )


def sentence(text: str) -> str:
    """Return a clause as a sentence."""
    text = text.strip()
    if "." in text.partition(" ")[0]:  # a file's name keeps its spelling
        return text + ("" if text.endswith(".") else ".")
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _job_rows(survey: Survey, job: Standing) -> list[Row]:
    rows = []
    if job.pause is not None:
        rows.append(Row("paused until", job.pause.reason, moment_of(survey, job.pause.until), tone="warn"))
    if job.running_since is not None:
        rows.append(Row("running since", moment=moment_of(survey, job.running_since)))
    if job.status.status is Status.LATE and job.status.deadline is not None:
        rows.append(Row("late since", moment=moment_of(survey, job.status.deadline), tone="bad"))
    latest = job.latest
    deferred = latest is not None and latest.outcome is Outcome.DEFERRED
    if latest is not None and job.running_since is None and not latest.outcome.is_good:
        since = latest.ended_at or latest.started_at
        outcome = "no end recorded" if latest.outcome is Outcome.RUNNING else str(latest.outcome)
        rows.append(Row("last attempt", outcome, moment_of(survey, since), tone="" if deferred else "bad"))
    rows.append(_last_success(survey, job))
    if job.settings.schedule is None:
        rows.append(Row("deadline", "none: run by hand"))
    elif job.status.deadline is not None and job.status.deadline >= survey.now:
        rows.append(Row("next deadline", moment=moment_of(survey, job.status.deadline)))
    if job.settings.schedule is not None:
        rows.append(Row("schedule", f"{job.settings.schedule.text}, grace {format_duration(job.settings.grace)}"))
    seconds = latest.seconds if latest is not None else None
    if seconds is not None and not deferred:  # it did no work
        rows.append(Row("took", length(seconds)))
    rows += _found(job)
    warnings = sum(message.level == "warning" for message in latest.messages) if latest is not None else 0
    if warnings or job.status.warnings:
        rows.append(Row("warnings", str(warnings or "yes"), tone="warn"))
    return rows


def _found(job: Standing) -> list[Row]:
    """Return what a scrub or self-test found, or how far it is. Repositories have cards of their own for that."""
    if job.latest is None or not JOBS[job.job].outlives_process:
        return []
    return [Row(line.label.lower(), line.text) for line in describe(job.latest.result)]


def _last_success(survey: Survey, job: Standing) -> Row:
    if not job.success_known:
        return Row("last success", "not known", tone="warn")
    if job.success is None:
        if job.status.is_unused:
            return Row("last success", "never")
        bad = job.status.status in {Status.FAILED, Status.LATE}  # else no graver than the status beside it
        return Row("last success", "never", tone="bad" if bad else "warn")
    return Row("last success", moment=moment_of(survey, job.success.ended_at or job.success.started_at))
