"""The exporter itself: its version, the age of what it hands out, and how its collectors did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.metrics.metric import Metric, MetricSection, Table, one_row

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True)
class Collected:
    """How one collector did. `last_success` (UTC) is None if it never succeeded since the exporter started."""

    succeeded: bool
    seconds: float
    last_success: datetime | None


@dataclass(frozen=True)
class Own:
    """What the exporter knows of itself. `now` (UTC) is when the state was read; `collectors` are there by name."""

    version: str
    python: str
    now: datetime
    collectors: dict[str, Collected]


SECTION = MetricSection[Own](
    "exporter",
    "Exporter",
    "The exporter's own health. The client library adds process_* metrics of the exporter's process.",
    Table[Own, Own](
        (),
        one_row,
        Metric(
            "bkp_exporter_build_info",
            "Version of bkp and of Python that the exporter runs on.",
            "the exporter",
            lambda own: (own.version, own.python),
            labels=("version", "python"),
        ),
        Metric(
            "bkp_exporter_snapshot_timestamp_seconds",
            "Time when all of this was read and computed; a scrape only hands it out.",
            "the exporter",
            lambda own: own.now,
        ),
    ),
    Table[Own, Collected](
        ("collector",),
        lambda own: (((name,), collected) for name, collected in own.collectors.items()),
        Metric(
            "bkp_exporter_collector_success",
            "1 if the collector did its work, 0 if it failed and none of its metrics are here.",
            "the exporter",
            lambda collected: collected.succeeded,
        ),
        Metric(
            "bkp_exporter_collector_duration_seconds",
            "How long the collector took.",
            "the exporter",
            lambda collected: collected.seconds,
        ),
        Metric(
            "bkp_exporter_collector_last_success_timestamp_seconds",
            "Time when the collector last did its work.",
            "the exporter",
            lambda collected: collected.last_success,
            absent="it has not since the exporter started",
        ),
    ),
)
