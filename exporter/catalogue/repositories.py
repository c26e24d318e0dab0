"""Metrics of each repository, as borg last described it to the runner, and of the newest archive."""

from __future__ import annotations

from exporter.catalogue.metric import Metric, Section, Unit

_REPOSITORY = ("repository",)
_UNREAD = "no readable record has the figure"


def _count(name: str, help_text: str, field: str) -> Metric:
    return Metric(name, help_text, f"result.repository.{field}", _REPOSITORY, absent=_UNREAD)


def _bytes(name: str, help_text: str, field: str) -> Metric:
    return Metric(name, help_text, f"result.repository.{field}", _REPOSITORY, "bytes", absent=_UNREAD)


def _time(name: str, help_text: str, field: str) -> Metric:
    return Metric(name, help_text, f"result.repository.{field}", _REPOSITORY, "seconds", absent=_UNREAD)


INFO = Metric(
    "bkp_repository_info",
    "The repository's Borg id and encryption mode, as borg last named them to the runner.",
    "result.repository.id, result.repository.encryption",
    ("repository", "id", "encryption"),
    kind="info",
    absent=_UNREAD,
)
FACTS_AT = _time(
    "bkp_repository_facts_timestamp_seconds",
    "Start of the oldest run whose record contributes to this repository's figures: none of them is older.",
    "* (started_at of its run)",
)
ARCHIVES = _count(
    "bkp_repository_archives",
    "Archives with the configured archive_prefix, set-aside ones left out, as last written by the runner.",
    "archives",
)
INCOMPLETE = _count(
    "bkp_repository_incomplete_archives",
    "Archives set aside under a name that begins with incomplete-, because a source was missing or no file was in them,"
    " as last written by the runner.",
    "incomplete_archives",
)
NEWEST = _time(
    "bkp_repository_newest_archive_timestamp_seconds",
    "Start of the newest archive that bkp_repository_archives counts, as last written by the runner.",
    "newest_archive_at",
)
OLDEST = _time(
    "bkp_repository_oldest_archive_timestamp_seconds",
    "Start of the oldest archive that bkp_repository_archives counts, as last written by the runner.",
    "oldest_archive_at",
)
ORIGINAL = _bytes(
    "bkp_repository_original_size_bytes",
    "Size of all archives as restored, as last written by the runner.",
    "original_bytes",
)
COMPRESSED = _bytes(
    "bkp_repository_compressed_size_bytes",
    "Size of all archives compressed, as last written by the runner.",
    "compressed_bytes",
)
DEDUPLICATED = _bytes(
    "bkp_repository_deduplicated_size_bytes",
    "Size of all archives compressed and deduplicated, which is what the repository takes on disk.",
    "deduplicated_bytes",
)
CHUNKS = _count("bkp_repository_chunks", "Chunks that all archives refer to, as last written by the runner.", "chunks")
UNIQUE_CHUNKS = _count(
    "bkp_repository_unique_chunks",
    "Different chunks in the repository, as last written by the runner.",
    "unique_chunks",
)
FREE = _bytes(
    "bkp_repository_filesystem_free_bytes",
    "Free space of the file system that holds the repository, as last written by the runner.",
    "free_bytes",
)
SIZE = _bytes(
    "bkp_repository_filesystem_size_bytes",
    "Size of the file system that holds the repository, as last written by the runner.",
    "size_bytes",
)

SECTION = Section(
    "repositories",
    "Repositories",
    "From the newest night whose record has the figure. The exporter itself never opens a repository.",
    (
        INFO,
        FACTS_AT,
        ARCHIVES,
        INCOMPLETE,
        NEWEST,
        OLDEST,
        ORIGINAL,
        COMPRESSED,
        DEDUPLICATED,
        CHUNKS,
        UNIQUE_CHUNKS,
        FREE,
        SIZE,
    ),
)

_NO_ARCHIVE = "no readable record names an archive"


def _archive(name: str, help_text: str, field: str, unit: Unit | None = None) -> Metric:
    return Metric(name, help_text, f"result.archive.{field}", _REPOSITORY, unit, absent=_NO_ARCHIVE)


ARCHIVE_START = _archive(
    "bkp_last_archive_start_timestamp_seconds", "Start of the last archive made by nightly.", "started_at", "seconds"
)
ARCHIVE_DURATION = _archive(
    "bkp_last_archive_duration_seconds",
    "How long borg took to make the last archive.",
    "ended_at - result.archive.started_at",
    "seconds",
)
ARCHIVE_CONFIRMED = _archive(
    "bkp_last_archive_confirmed",
    "1 if the last archive is a good one: the repository lists it, it holds files, and no source is missing. 0 if not,"
    " or not yet.",
    "confirmed, result.archive.files, result.archive.roots",
)
ARCHIVE_FILES = _archive("bkp_last_archive_files", "Files in the last archive.", "files")
ARCHIVE_ORIGINAL = _archive(
    "bkp_last_archive_original_size_bytes", "Size of the last archive as restored.", "original_bytes", "bytes"
)
ARCHIVE_COMPRESSED = _archive(
    "bkp_last_archive_compressed_size_bytes", "Size of the last archive compressed.", "compressed_bytes", "bytes"
)
ARCHIVE_DEDUPLICATED = _archive(
    "bkp_last_archive_deduplicated_size_bytes",
    "What the last archive added to the repository: compressed, without what was there before.",
    "deduplicated_bytes",
    "bytes",
)
ARCHIVE_MISSING = _archive(
    "bkp_last_archive_missing_sources",
    "Sources that the last archive lacks: a path of theirs was not there, or the archive does not know them.",
    "roots, against the sources of the configuration",
)

ARCHIVE_SECTION = Section(
    "archives",
    "Last archive",
    "The archive of the newest nightly run that made one, complete or not.",
    (
        ARCHIVE_START,
        ARCHIVE_DURATION,
        ARCHIVE_CONFIRMED,
        ARCHIVE_MISSING,
        ARCHIVE_FILES,
        ARCHIVE_ORIGINAL,
        ARCHIVE_COMPRESSED,
        ARCHIVE_DEDUPLICATED,
    ),
)
