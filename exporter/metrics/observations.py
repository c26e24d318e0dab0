"""What the probe looked at, part by part: when it last saw it, and whether its last look did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bkp.inventory import EVERY, LOOKS_MISSED, is_ahead, parts_of
from bkp.observations import KINDS
from bkp.state.observed import Part
from exporter.metrics.metric import MAX_PARTS, Labels, Metric, MetricSection, Table, label_text
from exporter.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterator


def _parts(model: Model) -> Iterator[tuple[Labels, Part[Any]]]:
    for kind in KINDS:
        parts = {label_text(name): part for name, part in parts_of(getattr(model.survey.observations, kind)).items()}
        for name in list(parts)[:MAX_PARTS]:
            yield (kind, name), parts[name]


def _limits(_: Model) -> Iterator[tuple[Labels, float]]:
    for kind in KINDS:
        yield (kind,), (LOOKS_MISSED * EVERY[kind]).total_seconds()


def _ahead(model: Model) -> Iterator[tuple[Labels, bool]]:
    for labels, part in _parts(model):
        yield labels, is_ahead(part, model.survey.now)


_ABSENT = "the probe never looked, or the observation cannot be read"

SECTION = MetricSection[Model](
    "observations",
    "Observations",
    "Pools and datasets by ZFS's name, disks by their configured name, the host as `host`. What could not be seen at"
    f" the last look keeps the values of the one before; only states become unknown. At most {MAX_PARTS} parts a kind.",
    Table[Model, Part[Any]](
        ("observation", "part"),
        _parts,
        Metric(
            "bkp_observation_success",
            "1 if the last look saw this part, 0 if not: its values are then older, or there are none.",
            "observed/*.json: error",
            lambda part: part.error is None and part.value is not None,
        ),
        Metric(
            "bkp_observation_looked_timestamp_seconds",
            "Time of the last look, whatever it saw.",
            "observed/*.json: looked_at",
            lambda part: part.looked_at,
        ),
        Metric(
            "bkp_observation_seen_timestamp_seconds",
            "Time when this part was last seen: its values are of then.",
            "observed/*.json: seen_at",
            lambda part: part.seen_at,
            absent=f"it was never seen, or {_ABSENT}",
        ),
        absent=_ABSENT,
    ),
    Table[Model, float](
        ("observation",),
        _limits,
        Metric(
            "bkp_observation_limit_seconds",
            "A look that is longer ago counts as old, and what it saw as unknown.",
            "bkp.inventory: the probe's interval, and how many looks may be missed",
            lambda seconds: seconds,
        ),
    ),
    Table[Model, bool](
        ("observation", "part"),
        _ahead,
        Metric(
            "bkp_observation_in_future",
            "1 if the last look is dated in the future: how old its values are cannot be told.",
            "observed/*.json: looked_at, seen_at; the clock",
            lambda ahead: ahead,
        ),
        absent=_ABSENT,
    ),
)
