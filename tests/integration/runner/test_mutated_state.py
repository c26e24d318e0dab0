"""A state directory of real runs, changed as a failing disk or a person could: nothing looks healthier for it."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from exporter.model import build_model
from exporter.reading import ConfigWatch, HostReader
from tests.support.mutations import Health, contents, health, healthier, mutations
from tests.support.runner_world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


MOST = 150  # of the thousands of mutations that there are: as many as take some seconds
LATE = timedelta(days=40)


def _good(world: World) -> None:
    for job in ("nightly", "check", "drill"):
        world.succeed(job)


def _bad(world: World) -> None:
    """Corruption is found, a drill differs, a prune fails, an archive is deleted, and a source is not there."""
    world.wrap_borg('case "$1" in check|extract|prune) echo broken >&2; exit 2;; esac; exec "$BORG" "$@"')
    for job in ("check", "drill", "prune"):
        assert world.run(job).returncode not in {0, 1}
    world.unwrap_borg()
    world.borg("delete", f"{world.repository}::{world.archives()[0]}")
    world.docs.rename(world.root / "away")
    assert world.run("nightly").returncode == 3


class Site:
    """A site after its runs, as it is looked at `later`; `earlier` are the contents that each file had between runs."""

    def __init__(self, world: World, runs: tuple[Callable[[World], None], ...], later: timedelta) -> None:
        self.world = world
        self.earlier: dict[str, list[bytes]] = {}
        for run in runs:
            run(world)
            for name, content in contents(world.state).items():
                self.earlier.setdefault(name, []).append(content)
        now = datetime.now(UTC) + later
        self._reader = HostReader(ConfigWatch(world.config_file, lambda: now), lambda: now, zone=UTC)

    def health(self) -> Health:
        return health(build_model(self._reader.read()))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, empty_repository: Path) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("mutated") / "site"
    folder.mkdir()
    site = World(folder, empty_repository)
    yield site
    site.tear_down()


def test_no_change_of_a_file_makes_anything_look_healthier(world: World) -> None:
    earlier: dict[str, list[bytes]] = {}
    chance = random.Random(20261127)
    for name, runs, later in (("good, and late", (_good,), LATE), ("bad", (_bad,), timedelta(hours=1))):
        site = Site(world, runs, later)
        for file, versions in site.earlier.items():
            earlier.setdefault(file, []).extend(versions)
        before, now = site.health(), contents(world.state)
        every = [each for each in mutations(now, earlier) if each.content != now[each.file]]
        found = []
        for mutation in chance.sample(every, MOST):
            path = world.state / mutation.file
            path.unlink() if mutation.content is None else path.write_bytes(mutation.content)
            found += [f"{name}: {mutation.file}, {mutation.words}: {each}" for each in healthier(before, site.health())]
            path.write_bytes(now[mutation.file])
        assert found == []
        assert site.health().concerns == before.concerns
