"""Duration and outcome of the steps of each job's last attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalogue import jobs as m
from exporter.collectors.sample import Sample, duration, label_text, state_set

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.model import Model

MAX_STEPS = 64  # a record is only a file: it must not decide how many series Prometheus stores


def collect(model: Model) -> Iterator[Sample]:
    """Yield the samples of all steps; of steps with the same name only those of the last."""
    for job in model.survey.standings:
        if job.latest is None:
            continue
        steps = {label_text(step.name): step for step in job.latest.steps[:MAX_STEPS]}
        for name, step in steps.items():
            labels = (job.job, job.target, name)
            if step.ended_at is not None:
                yield from duration(m.STEP_DURATION, labels, (step.ended_at - step.started_at).total_seconds())
            yield from state_set(m.STEP_OUTCOME, labels, step.outcome)
