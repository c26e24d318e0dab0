"""Metrics of each source: when it was last in an archive."""

from __future__ import annotations

from exporter.catalogue.metric import Metric, Section

LAST_COMPLETE = Metric(
    "bkp_source_last_complete_backup_timestamp_seconds",
    "Start of the newest archive that the repository has confirmed, that holds files, and that has every path of this"
    " source, even if it was set aside because another source was missing. 0: there never was one.",
    "result.archive.started_at of the newest night whose archive is confirmed, has files above 0, and has every root of"
    " the source as present",
    ("repository", "source"),
    "seconds",
    absent="no readable record has the source, and the history cannot be read whole",
)

SECTION = Section(
    "sources",
    "Sources",
    "One for every source of every repository: a tree that drops out of the nightly archive shows here, even while the"
    " other trees are backed up.",
    (LAST_COMPLETE,),
)
