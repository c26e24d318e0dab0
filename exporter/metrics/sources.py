"""When each source of each repository was last in a good archive."""

from __future__ import annotations

from bkp.holdings import SourceFacts
from exporter.metrics.metric import Metric, MetricSection, Table
from exporter.model import Model

SECTION = MetricSection[Model](
    "sources",
    "Sources",
    "One for every source of every repository: a tree that drops out of the nightly archive shows here, even while the"
    " other trees are backed up.",
    Table[Model, SourceFacts](
        ("repository", "source"),
        lambda model: (
            ((h.name, source.source), source) for h in model.holdings for source in h.sources if source.known
        ),
        Metric(
            "bkp_source_last_complete_backup_timestamp_seconds",
            "Start of the newest archive that the repository has confirmed, that holds files, and that has every path"
            " of this source, even if it was set aside because another source was missing. 0: there never was one.",
            "result.archive.started_at of the newest night whose archive is confirmed, has files above 0, and has every"
            " root of the source as present",
            lambda source: source.last_complete_at or 0,
            absent="no readable record has the source, and the history cannot be read whole",
        ),
    ),
)
