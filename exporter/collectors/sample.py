"""One value of one metric, and the helpers that make state sets and label texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from exporter.catalogue import Metric

MAX_LABEL = 200


class Sample(NamedTuple):
    """A value of a catalogued metric; `labels` are the values of the metric's labels, in their order."""

    metric: Metric
    labels: tuple[str, ...]
    value: float


def state_set(metric: Metric, labels: tuple[str, ...], current: str) -> Iterator[Sample]:
    """Yield one sample for every state: 1 for `current`, 0 for the others."""
    for state in metric.states:
        yield Sample(metric, (*labels, state), 1.0 if state == current else 0.0)


def when(metric: Metric, labels: tuple[str, ...], moment: datetime | None) -> Iterator[Sample]:
    """Yield a sample for a point in time, or none where it is not known."""
    if moment is not None:
        yield Sample(metric, labels, moment.timestamp())


def known(metric: Metric, labels: tuple[str, ...], value: float | None) -> Iterator[Sample]:
    """Yield a sample for a number, or none where it is not known."""
    if value is not None:
        yield Sample(metric, labels, float(value))


def duration(metric: Metric, labels: tuple[str, ...], seconds: float | None) -> Iterator[Sample]:
    """Yield a sample for a span of time, or none where it is not known: a moved clock makes negative ones."""
    if seconds is not None and seconds >= 0:
        yield Sample(metric, labels, float(seconds))


def label_text(text: str) -> str:
    """Return text from a file as a label value: valid UTF-8, of bounded length, with escapes for what is not."""
    if len(text) > MAX_LABEL:
        text = text[: MAX_LABEL - 1] + "…"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
