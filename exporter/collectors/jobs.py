"""Status, attempts, successes and deadline of every job on every target."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from exporter.catalogue import jobs as m
from exporter.collectors.sample import Sample, duration, known, state_set, when

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bkp.state.records import Run
    from bkp.survey import Standing
    from exporter.model import Model

Labels = tuple[str, ...]


def collect(model: Model) -> Iterator[Sample]:
    """Yield the samples of all jobs."""
    for job in model.survey.standings:
        labels = (job.job, job.target)
        schedule = job.settings.schedule.text if job.settings.schedule else ""
        yield Sample(m.INFO, (*labels, schedule), 1)
        yield from state_set(m.STATUS, labels, job.status.status)
        yield from _success(job, labels)
        if job.latest is not None:
            yield from _attempt(job.latest, labels)
        yield from when(m.RUNNING_SINCE, labels, job.running_since)


def _success(job: Standing, labels: Labels) -> Iterator[Sample]:
    """Yield 0 where there never was a success: the one documented number that stands for an absence."""
    if not job.success_known:
        return
    if job.success is None:
        yield Sample(m.LAST_SUCCESS, labels, 0)
        if job.settings.schedule is not None:
            yield Sample(m.DEADLINE, labels, 0)
        return
    yield from when(m.LAST_SUCCESS, labels, job.success.ended_at)
    yield from when(m.DEADLINE, labels, job.status.deadline)
    yield from duration(m.LAST_SUCCESS_DURATION, labels, job.success.seconds)


def _attempt(run: Run, labels: Labels) -> Iterator[Sample]:
    levels = [message.level for message in run.messages]
    yield from chain(
        when(m.LAST_ATTEMPT, labels, run.started_at),
        state_set(m.LAST_OUTCOME, labels, run.outcome),
        duration(m.LAST_DURATION, labels, run.seconds),
        known(m.LAST_WARNINGS, labels, levels.count("warning")),
        known(m.LAST_ERRORS, labels, levels.count("error")),
        known(m.LAST_DROPPED, labels, run.messages_dropped),
    )
    if run.mail is not None:
        yield from state_set(m.LAST_MAIL, labels, run.mail)
