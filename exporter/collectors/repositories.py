"""What borg last said of each repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalogue import repositories as m
from exporter.collectors.sample import Sample, known, label_text, when

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.model import Model


def collect(model: Model) -> Iterator[Sample]:
    """Yield the samples of all repositories that any record describes."""
    for repository in model.repositories:
        facts, labels = repository.facts, (repository.name,)
        if facts is None:
            continue
        yield Sample(m.INFO, (*labels, label_text(facts.id), label_text(facts.encryption)), 1)
        yield from when(m.FACTS_AT, labels, repository.facts_at)
        yield from when(m.NEWEST, labels, facts.newest_archive_at)
        yield from when(m.OLDEST, labels, facts.oldest_archive_at)
        for metric, value in (
            (m.ARCHIVES, facts.archives),
            (m.INCOMPLETE, facts.incomplete_archives),
            (m.ORIGINAL, facts.original_bytes),
            (m.COMPRESSED, facts.compressed_bytes),
            (m.DEDUPLICATED, facts.deduplicated_bytes),
            (m.CHUNKS, facts.chunks),
            (m.UNIQUE_CHUNKS, facts.unique_chunks),
            (m.FREE, facts.free_bytes),
            (m.SIZE, facts.size_bytes),
        ):
            yield from known(metric, labels, value)
