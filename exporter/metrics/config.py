"""The configuration that is in use."""

from __future__ import annotations

from exporter.metrics.metric import Metric, MetricSection, Table, one_row
from exporter.model import Model

SECTION = MetricSection[Model](
    "config",
    "Configuration",
    "The file is loaded again when it changes. One that is not valid, or gone, leaves the last good one in use.",
    Table[Model, Model](
        (),
        one_row,
        Metric(
            "bkp_config_last_reload_successful",
            "1 if the configuration file as it is now is in use, 0 if it is gone or not valid and the one before it is"
            " in use.",
            "configuration file",
            lambda model: model.config.current,
        ),
        Metric(
            "bkp_config_last_reload_success_timestamp_seconds",
            "Time when the configuration in use was loaded.",
            "configuration file",
            lambda model: model.config.loaded_at,
        ),
        Metric(
            "bkp_config_info",
            "The configuration in use: the first 12 hexadecimal digits of the file's SHA-256.",
            "configuration file",
            lambda model: (model.config.sha256[:12],),
            labels=("sha256",),
        ),
    ),
)
