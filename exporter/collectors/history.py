"""Whether the history is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalogue import state as m
from exporter.collectors.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.model import Model


def collect(model: Model) -> Iterator[Sample]:
    """Yield the samples of the history, if there is one that can be read."""
    chain = model.survey.history.chain
    if chain is not None:
        yield Sample(m.HISTORY_INTACT, (), float(model.survey.history_problem is None))
        yield Sample(m.HISTORY_LINES, (), chain.lines)
