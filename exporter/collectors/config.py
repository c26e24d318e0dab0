"""Which configuration is in use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalogue import config as m
from exporter.collectors.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.model import Model


def collect(model: Model) -> Iterator[Sample]:
    """Yield the samples of the configuration."""
    yield Sample(m.SUCCESSFUL, (), float(model.config.current))
    yield Sample(m.LOADED, (), model.config.loaded_at.timestamp())
    yield Sample(m.INFO, (model.config.sha256[:12],), 1)
