"""A state directory that the exporter's user may not enter, with the permissions really missing."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.integration.exporter.conftest import running
from tests.support.closed import held_back
from tests.support.exporter_world import World, healthy
from tests.support.exposition import text_series
from tests.support.http import get, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LATEST = "jobs/nightly/main/latest.json"
UNKNOWN = ("bkp_job_status", frozenset({("job_name", "nightly"), ("target", "main"), ("status", "unknown")}))
PRESENT = ("bkp_state_directory_present", frozenset[tuple[str, str]]())


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Path]:
    """The folder that holds the state directory of `world`."""
    folder = tmp_path / "pool"
    folder.mkdir()
    yield folder
    folder.chmod(0o755)


@pytest.fixture
def world(tmp_path: Path, pool: Path) -> World:
    world = World(tmp_path, state_path=f"{pool}/state")
    healthy(world)
    world.store.root.rename(pool / "state")
    return world


@pytest.mark.parametrize(("closed", "present"), [("pool", None), ("state directory", 1)])
@pytest.mark.parametrize("arguments", [["metrics"], ["--once"]])
def test_a_closed_folder_makes_every_status_unknown_and_every_file_unreadable(
    world: World, pool: Path, closed: str, present: float | None, arguments: list[str]
) -> None:
    folder = pool if closed == "pool" else pool / "state"
    folder.chmod(0)
    command = [*held_back(), sys.executable, "-m", "exporter.cli", "--config", str(world.config_path)]
    done = subprocess.run([*command, *arguments], capture_output=True, timeout=60)
    page = subprocess.run([*command, "page"], capture_output=True, timeout=60)
    folder.chmod(0o755)

    assert (done.returncode, done.stderr) == (0, b"")
    series = text_series(done.stdout)
    assert series.get(PRESENT) == present
    assert series[UNKNOWN] == 1
    assert series["bkp_state_file_unreadable", frozenset({("file", LATEST)})] == 1
    assert series["bkp_state_unreadable_files", frozenset()] == 18  # two of each job, history, four observations, audit
    assert [name for name, _ in series if name.startswith(("bkp_source_", "bkp_job_last_", "bkp_job_deadline"))] == []
    assert (page.returncode, page.stderr) == (0, b"")
    assert f"State directory {pool}/state".encode() in page.stdout


def test_a_server_stays_ready_while_the_folder_is_closed_and_sees_it_open_again(world: World, pool: Path) -> None:
    pool.chmod(0)
    with running(world, before=held_back()) as server:
        assert text_series(get(f"{server.url}/metrics").body)[UNKNOWN] == 1
        pool.chmod(0o755)
        wait_until(lambda: text_series(get(f"{server.url}/metrics").body)[UNKNOWN] == 0)
        assert text_series(get(f"{server.url}/metrics").body)[PRESENT] == 1
        assert server.stop() == (0, "")
