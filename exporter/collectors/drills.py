"""What the last restore drill of each repository found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalogue import checks as m
from exporter.collectors.sample import Sample, duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.model import Model


def collect(model: Model) -> Iterator[Sample]:
    """Yield the samples of every repository with a drill that compared files."""
    for drill in model.drills:
        if drill.drilled is None:
            continue
        labels, result = (drill.repository,), drill.drilled.result
        yield Sample(m.DRILL_FINISHED, labels, drill.drilled.ended_at.timestamp())
        yield Sample(m.DRILL_FILES, labels, result.files)
        yield Sample(m.DRILL_MATCHED, labels, result.matched)
        yield Sample(m.DRILL_MISMATCHED, labels, result.mismatched)
        yield Sample(m.DRILL_MISSING, labels, result.missing)
        yield Sample(m.DRILL_BYTES, labels, result.bytes)
        yield from duration(m.DRILL_DURATION, labels, result.seconds)
