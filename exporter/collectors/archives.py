"""The last archive of each repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.state.archives import is_good
from exporter.catalogue import repositories as m
from exporter.collectors.sample import Sample, duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.model import Model


def collect(model: Model) -> Iterator[Sample]:
    """Yield the samples of every repository whose records name an archive."""
    for repository in model.repositories:
        archive, labels = repository.archive, (repository.name,)
        if archive is None:
            continue
        yield Sample(m.ARCHIVE_START, labels, archive.started_at.timestamp())
        yield from duration(m.ARCHIVE_DURATION, labels, (archive.ended_at - archive.started_at).total_seconds())
        yield Sample(m.ARCHIVE_CONFIRMED, labels, float(is_good(archive)))
        yield Sample(m.ARCHIVE_MISSING, labels, len(repository.missing))
        yield Sample(m.ARCHIVE_FILES, labels, archive.files)
        yield Sample(m.ARCHIVE_ORIGINAL, labels, archive.original_bytes)
        yield Sample(m.ARCHIVE_COMPRESSED, labels, archive.compressed_bytes)
        yield Sample(m.ARCHIVE_DEDUPLICATED, labels, archive.deduplicated_bytes)
