"""Repositories that lie in each other's sources: every night each would archive all nights of the other."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bkp.config.places import archived, is_below
from runner.sources.plan import is_within

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bkp.config.model import Config
    from bkp.config.repositories import Source

    Mounts = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Inside:
    """A repository that a source holds, and the path at which borg would meet it there."""

    source: str
    repository: str
    place: str


def each_other(config: Config, target: str, mounts: Mounts) -> list[Inside]:
    """Return the repositories that the target would archive and that, in the end, archive the target.

    `mounts` says where each dataset is mounted. A repository on another host, or in no source, is nobody's. Links are
    followed: this looks at the host.
    """
    if len(config.repositories) == 1:
        return []
    holds = {name: list(_inside(config, name, mounts)) for name in config.repositories}

    def reaches(name: str, seen: frozenset[str]) -> bool:
        found = {each.repository for each in holds[name]} - seen
        return target in found or any(reaches(each, seen | found) for each in found)

    return [each for each in holds[target] if reaches(each.repository, frozenset())]


def _inside(config: Config, target: str, mounts: Mounts) -> Iterator[Inside]:
    for name in config.repositories[target].sources:
        source = config.sources[name]
        for other, repository in config.repositories.items():
            if other != target and repository.path.startswith("/"):
                yield from (Inside(name, other, place) for place in _places(source, repository.path, mounts))


def _places(source: Source, repository: str, mounts: Mounts) -> Iterator[str]:
    real = os.path.realpath(repository)
    for live, root in _trees(source, mounts):
        top = os.path.realpath(live)
        if not is_below(real, top) or (source.one_file_system and _device(real) != _device(top)):
            continue
        place = os.path.normpath(f"{root}/{os.path.relpath(real, top)}")
        if archived(place, root, source.exclude):
            yield place


def _trees(source: Source, mounts: Mounts) -> Iterator[tuple[str, str]]:
    """Yield where each tree of a source is seen, and where borg reads it."""
    if source.dataset is None:
        path = os.path.normpath(source.path or "/")
        yield path, path
        return
    top = next(iter(mounts.get(source.dataset, ())), None)
    for dataset, points in mounts.items():
        if f"{dataset}/".startswith(f"{source.dataset}/") and not is_within(dataset, source.skip):
            live = points[0]
            fixed = source.mount_at is not None and top is not None
            yield live, os.path.normpath(f"{source.mount_at}/{os.path.relpath(live, top)}") if fixed else live


def _device(path: str) -> int | None:
    try:
        return os.stat(path).st_dev  # noqa: PTH116  # no Path of it is needed
    except OSError:
        return None
