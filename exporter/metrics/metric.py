"""What a metric is, and the one loop that turns records into samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Facts = TypeVar("Facts")  # what a section reads: `exporter.model.Model`, but for the exporter's own section
Record = TypeVar("Record")  # what one row of a table is about: a job, a run, a repository

Labels = tuple[str, ...]
Value = float | datetime | str | Labels | None
MAX_LABEL = 200
MAX_PARTS = 1000  # a broken observation must not be able to fill Prometheus' storage with series
UNITS = ("seconds", "bytes", "celsius", "ratio")
_AHEAD = ("_deadline_timestamp_seconds", "_until_timestamp_seconds")


@dataclass(frozen=True)
class Metric(Generic[Record]):
    """One metric: its full name, what it means, where it comes from, and how its value is got from a record.

    `value` returns a number; or a time; or, for a state set, the state that holds; or, for a name that ends in _info,
    the values of `labels`; or None where the value is unknown, which makes no sample. `labels` follow those of the
    table. `states` are the values that the last label of a state set can have. `absent` says when there is no sample.
    """

    name: str
    help: str
    source: str
    value: Callable[[Record], Value]
    labels: Labels = ()
    states: tuple[str, ...] = ()
    absent: str = ""

    @property
    def unit(self) -> str | None:
        """Return the unit, which ends the name of every metric that has one."""
        return next((unit for unit in UNITS if self.name.endswith(f"_{unit}")), None)

    @property
    def is_of_the_past(self) -> bool:
        """Return whether it is the time of something that has happened; deadlines and ends of pauses lie ahead."""
        return self.name.endswith("_timestamp_seconds") and not self.name.endswith(_AHEAD)

    @property
    def kind(self) -> Literal["gauge", "info"]:
        """Return the type of the family."""
        return "info" if self.name.endswith("_info") else "gauge"

    @property
    def family(self) -> str:
        """Return the name of the family, as the client library wants it: without _info."""
        return self.name.removesuffix("_info")


class Sample(NamedTuple):
    """One value of one metric. `labels` are the values of the metric's labels, in their order."""

    metric: Metric[Any]
    labels: Labels
    value: float


class Table(Generic[Facts, Record]):
    """Metrics that have labels and records in common.

    `rows` yields the values of `labels` and the record for each row. `absent` is for the metrics that have none.
    """

    def __init__(
        self,
        labels: Labels,
        rows: Callable[[Facts], Iterable[tuple[Labels, Record]]],
        *metrics: Metric[Record],
        absent: str = "",
    ) -> None:
        self._rows = rows
        self.metrics = tuple(
            replace(metric, labels=(*labels, *metric.labels), absent=metric.absent or absent) for metric in metrics
        )

    def samples(self, facts: Facts) -> Iterator[Sample]:
        """Yield the samples of every row. A state set gives one for each state: 1 for the one that holds, else 0."""
        for labels, record in self._rows(facts):
            for metric in self.metrics:
                value = metric.value(record)
                if value is None:
                    continue
                if isinstance(value, str):
                    for state in metric.states:
                        yield Sample(metric, (*labels, state), 1.0 if state == value else 0.0)
                elif isinstance(value, tuple):
                    yield Sample(metric, (*labels, *value), 1.0)
                else:
                    yield Sample(metric, labels, value.timestamp() if isinstance(value, datetime) else float(value))


class MetricSection(Generic[Facts]):
    """The metrics that are collected together and fail together. `about` introduces them in the documentation."""

    def __init__(self, name: str, title: str, about: str, *tables: Table[Facts, Any]) -> None:
        self.name = name
        self.title = title
        self.about = about
        self._tables = tables
        self.metrics: tuple[Metric[Any], ...] = tuple(metric for table in tables for metric in table.metrics)

    def collect(self, facts: Facts) -> Iterator[Sample]:
        """Yield all samples of the section."""
        for table in self._tables:
            yield from table.samples(facts)


def one_row(facts: Facts) -> Iterator[tuple[Labels, Facts]]:
    """Yield one row without labels: for metrics that are there once."""
    yield (), facts


def duration(started_at: datetime, ended_at: datetime | None) -> float | None:
    """Return the seconds between two times; None without an end, or if the clock was set back in between."""
    seconds = (ended_at - started_at).total_seconds() if ended_at is not None else -1.0
    return seconds if seconds >= 0 else None


def label_text(text: str) -> str:
    """Return text from a file as a label value: at most `MAX_LABEL` characters, with escapes for invalid UTF-8."""
    if len(text) > MAX_LABEL:
        text = text[: MAX_LABEL - 1] + "…"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
