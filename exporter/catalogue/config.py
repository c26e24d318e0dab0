"""Metrics of the configuration file."""

from __future__ import annotations

from exporter.catalogue.metric import Metric, Section

SUCCESSFUL = Metric(
    "bkp_config_last_reload_successful",
    "1 if the configuration file as it is now is in use, 0 if it is gone or not valid and the one before it is in use.",
    "configuration file",
)
LOADED = Metric(
    "bkp_config_last_reload_success_timestamp_seconds",
    "Time when the configuration in use was loaded.",
    "configuration file",
    (),
    "seconds",
)
INFO = Metric(
    "bkp_config_info",
    "The configuration in use: the first 12 hexadecimal digits of the file's SHA-256.",
    "configuration file",
    ("sha256",),
    kind="info",
)

SECTION = Section(
    "config",
    "Configuration",
    "The file is loaded again when it changes. One that is not valid, or gone, leaves the last good one in use.",
    (SUCCESSFUL, LOADED, INFO),
)
