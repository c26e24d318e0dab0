"""Sites for bkp-run: each test gets a folder, a repository and a configuration of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.repositories import make_repository, prove
from tests.support.runner_world import World, borg_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def empty_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encrypted repository without archives; deriving its key is what takes long, so it is done once."""
    folder = tmp_path_factory.mktemp("template")
    make_repository(folder / "repo", borg_environment(folder / "base"))
    prove(folder / "repo", borg_environment(folder / "base"))
    return folder / "repo"


@pytest.fixture
def world(tmp_path: Path, empty_repository: Path) -> Iterator[World]:
    """A site; at the end of the test borg itself checks the repositories that the test has written to."""
    folder = tmp_path / "site"
    folder.mkdir()
    site = World(folder, empty_repository)
    yield site
    site.tear_down()
