"""The last archive of each repository."""

from __future__ import annotations

from bkp.holdings import Holding
from bkp.state.archives import doubt
from bkp.state.results import Archive
from exporter.metrics.metric import Metric, MetricSection, Table, duration
from exporter.model import Model

SECTION = MetricSection[Model](
    "archives",
    "Last archive",
    "The archive of the newest nightly run that made one, complete or not.",
    Table[Model, Archive](
        ("repository",),
        lambda model: (((r.name,), r.archive) for r in model.holdings if r.archive is not None),
        Metric(
            "bkp_last_archive_start_timestamp_seconds",
            "Start of the last archive made by nightly.",
            "result.archive.started_at",
            lambda archive: archive.started_at,
        ),
        Metric(
            "bkp_last_archive_duration_seconds",
            "How long borg took to make the last archive.",
            "result.archive.ended_at - result.archive.started_at",
            lambda archive: duration(archive.started_at, archive.ended_at),
        ),
        Metric(
            "bkp_last_archive_confirmed",
            "1 if the last archive is a good one: the repository lists it, it holds files, no source is missing, and it"
            " is not suspiciously small. 0 if not, or not yet.",
            "result.archive.name, .confirmed, .files, .roots and .size_suspicion",
            lambda archive: doubt(archive) is None,
        ),
        Metric(
            "bkp_last_archive_files",
            "Files in the last archive.",
            "result.archive.files",
            lambda archive: archive.files,
        ),
        Metric(
            "bkp_last_archive_original_size_bytes",
            "Size of the last archive as restored.",
            "result.archive.original_bytes",
            lambda archive: archive.original_bytes,
        ),
        Metric(
            "bkp_last_archive_compressed_size_bytes",
            "Size of the last archive compressed.",
            "result.archive.compressed_bytes",
            lambda archive: archive.compressed_bytes,
        ),
        Metric(
            "bkp_last_archive_deduplicated_size_bytes",
            "What the last archive added to the repository: compressed, without what was there before.",
            "result.archive.deduplicated_bytes",
            lambda archive: archive.deduplicated_bytes,
        ),
        absent="no readable record names an archive",
    ),
    Table[Model, Holding](
        ("repository",),
        lambda model: (((r.name,), r) for r in model.holdings if r.archive is not None),
        Metric(
            "bkp_last_archive_missing_sources",
            "Sources that the last archive lacks: a path of theirs was not there, or the archive does not know them.",
            "result.archive.roots, against the sources of the configuration",
            lambda repository: len(repository.missing),
        ),
        absent="no readable record names an archive",
    ),
)
