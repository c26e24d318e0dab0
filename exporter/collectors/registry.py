"""The collectors by name. Each name is a section of the catalogue; a collector gives that section's metrics only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from exporter.collectors import (
    archives,
    checks,
    config,
    drills,
    history,
    jobs,
    repositories,
    sources,
    state,
    steps,
)
from exporter.collectors.sample import Sample
from exporter.model import Model

Collect = Callable[[Model], Iterable[Sample]]

COLLECTORS: Mapping[str, Collect] = {
    "jobs": jobs.collect,
    "steps": steps.collect,
    "repositories": repositories.collect,
    "archives": archives.collect,
    "sources": sources.collect,
    "checks": checks.collect,
    "drills": drills.collect,
    "state": state.collect,
    "history": history.collect,
    "config": config.collect,
}
