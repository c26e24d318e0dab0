"""Whether the state directory is there, which of its files can be used, and when they were written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalogue import state as m
from exporter.collectors.sample import Sample, known, label_text, when

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.model import Model


def collect(model: Model) -> Iterator[Sample]:
    """Yield the samples of every state file that is there or ought to be."""
    presence = model.survey.presence
    yield from known(m.DIRECTORY_PRESENT, (), presence.there)
    if presence.there is not False:
        yield Sample(m.UNREADABLE_FILES, (), sum(file.problem is not None for file in model.files))
    if presence.problem is None:
        yield Sample(m.UNCONFIGURED, (), len(model.survey.others))
    for file in model.files:
        labels = (label_text(file.name),)
        yield Sample(m.FILE_UNREADABLE, labels, float(file.problem is not None))
        yield from when(m.FILE_WRITTEN, labels, file.written_at)
