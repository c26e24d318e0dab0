"""Metrics of the exporter itself."""

from __future__ import annotations

from exporter.catalogue.metric import Metric, Section

BUILD_INFO = Metric(
    "bkp_exporter_build_info",
    "Version of bkp and of Python that the exporter runs on.",
    "the exporter",
    ("version", "python"),
    kind="info",
)
SNAPSHOT = Metric(
    "bkp_exporter_snapshot_timestamp_seconds",
    "Time when all of this was read and computed; a scrape only hands it out.",
    "the exporter",
    (),
    "seconds",
)
COLLECTOR_SUCCESS = Metric(
    "bkp_exporter_collector_success",
    "1 if the collector did its work, 0 if it failed and none of its metrics are here.",
    "the exporter",
    ("collector",),
)
COLLECTOR_DURATION = Metric(
    "bkp_exporter_collector_duration_seconds",
    "How long the collector took.",
    "the exporter",
    ("collector",),
    "seconds",
)
COLLECTOR_LAST_SUCCESS = Metric(
    "bkp_exporter_collector_last_success_timestamp_seconds",
    "Time when the collector last did its work.",
    "the exporter",
    ("collector",),
    "seconds",
    absent="it has not since the exporter started",
)

SECTION = Section(
    "exporter",
    "Exporter",
    "The exporter's own health. The client library adds process_* metrics of the exporter's process.",
    (BUILD_INFO, SNAPSHOT, COLLECTOR_SUCCESS, COLLECTOR_DURATION, COLLECTOR_LAST_SUCCESS),
)
