"""What somebody has to look at, by kind: the same list as on the page and in `bkp-run status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.concerns.model import GRAVEST_FIRST, KINDS
from exporter.metrics.metric import Labels, Metric, MetricSection, Table, label_text
from exporter.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_SINGLE = 200  # a broken state must not be able to fill Prometheus' storage with series


def _counts(model: Model) -> Iterator[tuple[Labels, int]]:
    for severity in GRAVEST_FIRST:
        yield (severity,), sum(each.severity == severity for each in model.concerns)


def _single(model: Model) -> Iterator[tuple[Labels, int]]:
    known = dict.fromkeys((each.kind, label_text(each.object), each.severity) for each in model.concerns)
    for labels in list(known)[:MAX_SINGLE]:
        yield labels, 1


SECTION = MetricSection[Model](
    "concerns",
    "Concerns",
    f"What somebody has to look at. There are {len(KINDS)} kinds: {', '.join(f'`{kind}`' for kind in KINDS)}.",
    Table[Model, int](
        ("severity",),
        _counts,
        Metric(
            "bkp_concerns",
            "Concerns of this severity: critical (act now), warning (act soon), info (good to know).",
            "bkp.concerns over the whole state",
            lambda count: count,
        ),
    ),
    Table[Model, int](
        ("kind", "object", "severity"),
        _single,
        Metric(
            "bkp_concern",
            "1 for each concern that there is.",
            "bkp.concerns over the whole state",
            lambda one: one,
            absent="there is no such concern",
        ),
    ),
)
