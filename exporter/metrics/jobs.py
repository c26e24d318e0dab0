"""Every job on every target: its status, its deadline, its last success and its last attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.concerns.jobs import late_severity
from bkp.state.fields import Outcome
from bkp.state.records import Run
from bkp.status import Status
from bkp.survey import Standing
from exporter.metrics.metric import Labels, Metric, MetricSection, Table, Value, duration
from exporter.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterator

MAIL = ("sent", "kept", "failed", "not wanted")
_LABELS = ("job_name", "target")


def _jobs(model: Model) -> Iterator[tuple[Labels, Standing]]:
    for job in model.survey.standings:
        yield (job.job, job.target), job


def _attempts(model: Model) -> Iterator[tuple[Labels, Run]]:
    now = model.survey.now
    for labels, job in _jobs(model):
        if job.latest is not None and max(job.latest.started_at, job.latest.ended_at or now) <= now:
            yield labels, job.latest


def _info(job: Standing) -> Labels:
    return (job.settings.schedule.text if job.settings.schedule else "", late_severity(job.job))


def _deadline(job: Standing) -> Value:
    if not job.success_known:
        return None
    if job.success is None:
        return 0 if job.settings.schedule is not None else None
    return job.status.deadline


def _last_success(job: Standing) -> Value:
    if not job.success_known:
        return None
    return job.success.ended_at if job.success is not None else 0


def _last_success_duration(job: Standing) -> Value:
    if not job.success_known or job.success is None:
        return None
    return duration(job.success.started_at, job.success.ended_at)


def _outcome(run: Run) -> Value:
    if run.outcome is not Outcome.RUNNING:
        return run.outcome
    return run.before.outcome if run.before is not None else None


def _messages(run: Run, level: str) -> int:
    return sum(message.level == level for message in run.messages)


SECTION = MetricSection[Model](
    "jobs",
    "Jobs",
    "One set for every job that the configuration names, on each of its targets, from the first start of the exporter:"
    " a job that never ran is there too.",
    Table[Model, Standing](
        _LABELS,
        _jobs,
        Metric(
            "bkp_job_info",
            "A job on a target that the configuration names; schedule is its systemd calendar expression, empty if it"
            " is started by hand only; late_severity is how grave it is when the job is late.",
            "configuration: jobs; bkp.jobs",
            _info,
            labels=("schedule", "late_severity"),
        ),
        Metric(
            "bkp_job_status",
            "Status of the job as seen now, computed from the records written by the runner and the clock: 1 for the"
            " one that holds, 0 for the others.",
            "bkp.status over latest.json, success.json and the configuration",
            lambda job: job.status.status,
            labels=("status",),
            states=tuple(Status),
        ),
        Metric(
            "bkp_job_deadline_timestamp_seconds",
            "Time after which the job counts as late: first elapse of its schedule after the start of its last success,"
            " plus grace. 0: it is scheduled and never succeeded, so it is late already.",
            "configuration: jobs.JOB.schedule and grace; success.json: started_at",
            _deadline,
            absent="the job has no schedule, or its last success cannot be known",
        ),
        Metric(
            "bkp_job_last_success_timestamp_seconds",
            "End of the last run that succeeded, with warnings or without, as written by the runner. 0: it never"
            " succeeded.",
            "success.json: ended_at",
            _last_success,
            absent="the record of the last success cannot be read, or is gone, or the state directory is not there",
        ),
        Metric(
            "bkp_job_last_success_duration_seconds",
            "How long the last run that succeeded took, as written by the runner.",
            "success.json: ended_at - started_at",
            _last_success_duration,
            absent="it never succeeded, or the record cannot be read",
        ),
    ),
    Table[Model, Run](
        _LABELS,
        _attempts,
        Metric(
            "bkp_job_last_attempt_timestamp_seconds",
            "Start of the last attempt, whatever became of it, as written by the runner.",
            "latest.json: started_at",
            lambda run: run.started_at,
            absent="there was none, or its record cannot be read",
        ),
        Metric(
            "bkp_job_last_attempt_outcome",
            "Outcome of the last attempt that ended: 1 for the one that holds, 0 for the others. A run that has"
            " begun leaves the outcome before it in place.",
            "latest.json: outcome, or before.outcome while the run has no end of its own",
            _outcome,
            absent="no attempt has ended, or its record cannot be read",
            labels=("outcome",),
            states=tuple(Outcome),
        ),
        Metric(
            "bkp_job_last_attempt_duration_seconds",
            "How long the last attempt took, as written by the runner.",
            "latest.json: ended_at - started_at",
            lambda run: duration(run.started_at, run.ended_at),
            absent="there was no attempt, it has not ended, or its record cannot be read",
        ),
        Metric(
            "bkp_job_last_attempt_warnings",
            "Warnings that the last attempt gave, as written by the runner.",
            "latest.json: messages of level warning",
            lambda run: _messages(run, "warning"),
        ),
        Metric(
            "bkp_job_last_attempt_errors",
            "Errors that the last attempt gave, as written by the runner.",
            "latest.json: messages of level error",
            lambda run: _messages(run, "error"),
        ),
        Metric(
            "bkp_job_last_attempt_dropped_messages",
            "Messages of the last attempt that the record had no room for; they are in its log.",
            "latest.json: messages_dropped",
            lambda run: run.messages_dropped,
        ),
        Metric(
            "bkp_job_last_attempt_mail",
            "What became of the last attempt's mail: 1 for the one that holds, 0 for the others.",
            "latest.json: mail",
            lambda run: run.mail,
            labels=("mail",),
            states=MAIL,
            absent="there was no attempt, it has not come to its mail, or its record cannot be read",
        ),
        absent="there was no attempt, or its record cannot be read",
    ),
    Table[Model, Standing](
        _LABELS,
        _jobs,
        Metric(
            "bkp_job_running_since_timestamp_seconds",
            "Start of the run that is under way.",
            "latest.json: started_at, where its process lives or the work goes on without one",
            lambda job: job.running_since,
            absent="no run is known to be under way",
        ),
        Metric(
            "bkp_job_paused_until_timestamp_seconds",
            "Until when the job is paused: its timer does not run it. Alerts on its being late are silent meanwhile.",
            "pause.json: until",
            lambda job: job.pause.until if job.pause is not None else None,
            absent="it is not paused",
        ),
    ),
)
