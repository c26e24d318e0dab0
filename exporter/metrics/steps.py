"""The steps of each job's last attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.state.fields import Outcome
from bkp.state.records import Step
from exporter.metrics.metric import Labels, Metric, MetricSection, Table, duration, label_text
from exporter.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_STEPS = 64  # a file must not be able to fill Prometheus' storage with series


def _steps(model: Model) -> Iterator[tuple[Labels, Step]]:
    for job in model.survey.standings:
        if job.latest is not None:
            last_of_each_name = {label_text(step.name): step for step in job.latest.steps[:MAX_STEPS]}
            for name, step in last_of_each_name.items():
                yield (job.job, job.target, name), step


SECTION = MetricSection[Model](
    "steps",
    "Steps of the last attempt",
    "A step that a record names twice is there once, as it was the last time; at most 64 steps are shown.",
    Table[Model, Step](
        ("job_name", "target", "step"),
        _steps,
        Metric(
            "bkp_job_last_attempt_step_duration_seconds",
            "How long a step of the last attempt took, as written by the runner.",
            "latest.json: steps[].ended_at - started_at",
            lambda step: duration(step.started_at, step.ended_at),
            absent="the step has not ended, or the record cannot be read",
        ),
        Metric(
            "bkp_job_last_attempt_step_outcome",
            "Outcome of a step of the last attempt as written by the runner: 1 for the one that holds, 0 for the"
            " others.",
            "latest.json: steps[].outcome",
            lambda step: step.outcome,
            labels=("outcome",),
            states=tuple(Outcome),
            absent="there was no attempt, or its record cannot be read",
        ),
    ),
)
