"""A host in a temporary folder."""

from pathlib import Path

import pytest

from tests.support.exporter_world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def three(tmp_path: Path) -> World:
    return World(tmp_path, ("main", "photos", "mirror"))
