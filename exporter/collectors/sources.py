"""When each source was last in an archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalogue import sources as m
from exporter.collectors.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.model import Model


def collect(model: Model) -> Iterator[Sample]:
    """Yield one sample for every source, 0 for never; none where a missing record could hold a backup of it."""
    for source in model.sources:
        if source.known:
            moment = source.last_complete_at
            yield Sample(m.LAST_COMPLETE, (source.repository, source.source), moment.timestamp() if moment else 0)
