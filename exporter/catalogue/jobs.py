"""Metrics of every job on every target: status, attempts, successes, deadlines, and the steps of the last attempt."""

from __future__ import annotations

from bkp.state.fields import Outcome
from bkp.status import Status
from exporter.catalogue.metric import Metric, Section

_JOB = ("job_name", "target")
OUTCOMES = tuple(outcome.value for outcome in Outcome)
STATUSES = tuple(status.value for status in Status)
MAIL = ("sent", "failed", "not wanted")

INFO = Metric(
    "bkp_job_info",
    "A job on a target that the configuration names; schedule is its systemd calendar expression, empty if it is"
    " started by hand only.",
    "configuration: jobs",
    (*_JOB, "schedule"),
    kind="info",
)
STATUS = Metric(
    "bkp_job_status",
    "Status of the job as seen now, computed from the records written by the runner and the clock: 1 for the one that"
    " holds, 0 for the others.",
    "bkp.status over latest.json, success.json and the configuration",
    (*_JOB, "status"),
    states=STATUSES,
)
DEADLINE = Metric(
    "bkp_job_deadline_timestamp_seconds",
    "Time after which the job counts as late: first elapse of its schedule after the start of its last success, plus"
    " grace. 0: it is scheduled and never succeeded, so it is late already.",
    "configuration: jobs.JOB.schedule and grace; success.json: started_at",
    _JOB,
    "seconds",
    absent="the job has no schedule, or its last success cannot be known",
)
LAST_ATTEMPT = Metric(
    "bkp_job_last_attempt_timestamp_seconds",
    "Start of the last attempt, whatever became of it, as written by the runner.",
    "latest.json: started_at",
    _JOB,
    "seconds",
    absent="there was none, or its record cannot be read",
)
LAST_OUTCOME = Metric(
    "bkp_job_last_attempt_outcome",
    "Outcome of the last attempt as written by the runner: 1 for the one that holds, 0 for the others.",
    "latest.json: outcome",
    (*_JOB, "outcome"),
    states=OUTCOMES,
    absent="there was no attempt, or its record cannot be read",
)
LAST_DURATION = Metric(
    "bkp_job_last_attempt_duration_seconds",
    "How long the last attempt took, as written by the runner.",
    "latest.json: ended_at - started_at",
    _JOB,
    "seconds",
    absent="there was no attempt, it has not ended, or its record cannot be read",
)
LAST_WARNINGS = Metric(
    "bkp_job_last_attempt_warnings",
    "Warnings that the last attempt gave, as written by the runner.",
    "latest.json: messages of level warning",
    _JOB,
    absent="there was no attempt, or its record cannot be read",
)
LAST_ERRORS = Metric(
    "bkp_job_last_attempt_errors",
    "Errors that the last attempt gave, as written by the runner.",
    "latest.json: messages of level error",
    _JOB,
    absent="there was no attempt, or its record cannot be read",
)
LAST_DROPPED = Metric(
    "bkp_job_last_attempt_dropped_messages",
    "Messages of the last attempt that the record had no room for; they are in its log.",
    "latest.json: messages_dropped",
    _JOB,
    absent="there was no attempt, or its record cannot be read",
)
LAST_MAIL = Metric(
    "bkp_job_last_attempt_mail",
    "What became of the last attempt's mail: 1 for the one that holds, 0 for the others.",
    "latest.json: mail",
    (*_JOB, "mail"),
    states=MAIL,
    absent="there was no attempt, it has not come to its mail, or its record cannot be read",
)
RUNNING_SINCE = Metric(
    "bkp_job_running_since_timestamp_seconds",
    "Start of the run that is under way.",
    "latest.json: started_at, where its process lives or the work goes on without one",
    _JOB,
    "seconds",
    absent="no run is known to be under way",
)
LAST_SUCCESS = Metric(
    "bkp_job_last_success_timestamp_seconds",
    "End of the last run that succeeded, with warnings or without, as written by the runner. 0: it never succeeded.",
    "success.json: ended_at",
    _JOB,
    "seconds",
    absent="the record of the last success cannot be read, or is gone, or the state directory is not there",
)
LAST_SUCCESS_DURATION = Metric(
    "bkp_job_last_success_duration_seconds",
    "How long the last run that succeeded took, as written by the runner.",
    "success.json: ended_at - started_at",
    _JOB,
    "seconds",
    absent="it never succeeded, or the record cannot be read",
)

SECTION = Section(
    "jobs",
    "Jobs",
    "One set for every job that the configuration names, on each of its targets, from the first start of the exporter:"
    " a job that never ran is there too.",
    (
        INFO,
        STATUS,
        DEADLINE,
        LAST_SUCCESS,
        LAST_SUCCESS_DURATION,
        LAST_ATTEMPT,
        LAST_OUTCOME,
        LAST_DURATION,
        LAST_WARNINGS,
        LAST_ERRORS,
        LAST_DROPPED,
        LAST_MAIL,
        RUNNING_SINCE,
    ),
)

STEP_DURATION = Metric(
    "bkp_job_last_attempt_step_duration_seconds",
    "How long a step of the last attempt took, as written by the runner.",
    "latest.json: steps[].ended_at - started_at",
    (*_JOB, "step"),
    "seconds",
    absent="the step has not ended, or the record cannot be read",
)
STEP_OUTCOME = Metric(
    "bkp_job_last_attempt_step_outcome",
    "Outcome of a step of the last attempt as written by the runner: 1 for the one that holds, 0 for the others.",
    "latest.json: steps[].outcome",
    (*_JOB, "step", "outcome"),
    states=OUTCOMES,
    absent="there was no attempt, or its record cannot be read",
)
STEPS_SECTION = Section(
    "steps",
    "Steps of the last attempt",
    "A step that a record names twice is there once, as it was the last time; at most 64 steps are shown.",
    (STEP_DURATION, STEP_OUTCOME),
)
