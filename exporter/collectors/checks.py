"""The last verdict of each check of each repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.catalogue import checks as m
from exporter.collectors.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.model import Model


def collect(model: Model) -> Iterator[Sample]:
    """Yield the samples of every check that came to a verdict."""
    for check in model.checks:
        if check.verdict is not None:
            labels = (check.target, check.job)
            yield Sample(m.PASSED, labels, float(check.verdict.passed))
            yield Sample(m.FINISHED, labels, check.verdict.ended_at.timestamp())
