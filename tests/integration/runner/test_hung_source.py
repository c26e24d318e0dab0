"""A file system that does not answer keeps no run: the other sources are archived, and a signal ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from bkp.state.fields import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.runner_world import World


@pytest.fixture
def world(world: World) -> World:
    """A site whose programs are started for each call: what hangs, hangs in their processes."""
    world.load_nothing_before()
    return world


@pytest.fixture
def fuse(world: World) -> Iterator[subprocess.Popen[bytes]]:
    """The program behind the folder `hung`, which shows the folder `real`."""
    real, point = world.root / "real", world.root / "hung"
    world.fill(real)
    point.mkdir()
    program = subprocess.Popen(["bindfs", "-f", real, point])
    while not os.path.ismount(point):
        assert program.poll() is None
        time.sleep(0.02)
    yield program
    program.send_signal(signal.SIGCONT)
    program.terminate()
    program.wait()
    subprocess.run(["umount", "--lazy", point], check=False)


@pytest.fixture
def hung(world: World, fuse: subprocess.Popen[bytes]) -> Path:
    """A source whose FUSE program is stopped: every look at it waits in the kernel."""
    point = world.root / "hung"
    world.config["sources"]["hung"] = {"path": str(point)}
    world.main["sources"].append("hung")
    world.config["jobs"] = {"nightly": {"timeout": "20s"}}
    world.write_config()
    fuse.send_signal(signal.SIGSTOP)
    return point


def test_the_other_sources_are_archived_in_time(world: World, hung: Path) -> None:
    world.config["jobs"] = {"nightly": {"timeout": "80s"}}
    world.write_config()
    started = time.monotonic()
    done = world.run("nightly")
    assert time.monotonic() - started < 100
    assert done.returncode == 3
    run = world.latest()
    assert f"{hung} cannot be read: its file system does not answer" in done.stderr
    assert run.outcome is Outcome.FAILURE
    assert [name.startswith("incomplete-") for name in world.archives()] == [True]


def test_a_signal_ends_the_run_at_once(world: World, hung: Path) -> None:
    process = world.start("nightly")
    while not (world.store.job_dir("nightly", "main") / "latest.json").exists():
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(1)
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)
    assert time.monotonic() - started < 15
    assert process.returncode == 130
    assert world.latest().outcome is Outcome.INTERRUPTED
    assert world.history()[-1].run_id == world.latest().run_id


def ended_at_once(world: World, *arguments: str, number: signal.Signals = signal.SIGTERM) -> int:
    """Return how a command ends that a signal reaches while it waits for the file system."""
    process = world.start(*arguments)
    while len(os.listdir(f"/proc/{process.pid}/task")) < 2:  # noqa: PTH208  # until a thread asks
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    time.sleep(0.5)
    started = time.monotonic()
    process.send_signal(number)
    process.communicate(timeout=60)
    assert time.monotonic() - started < 15
    return process.returncode


def test_a_repository_that_does_not_answer_fails_in_time_and_a_log_folder_costs_the_log_alone(
    world: World, fuse: subprocess.Popen[bytes]
) -> None:
    repository, point = world.root / "real" / "repo", world.root / "hung"
    world.repository.rename(repository)
    world.repository = repository
    world.main["path"] = str(point / "repo")
    world.config["jobs"] = {"nightly": {"timeout": "20s"}}
    world.write_config()
    fuse.send_signal(signal.SIGSTOP)
    done = world.run("nightly")
    assert done.returncode == 3
    assert f"the repository ({point}/repo) cannot be read: its file system does not answer (waited 10s)" in done.stderr
    assert world.latest().outcome is Outcome.FAILURE
    key = str(world.root / "key.txt")
    assert ended_at_once(world, "list", number=signal.SIGINT) == 130
    assert ended_at_once(world, "restore", "latest", "--to", str(world.root / "out")) == 130
    assert ended_at_once(world, "export-key", "--to", key) == 130
    assert ended_at_once(world, "config", "check", "--host", number=signal.SIGINT) == 130

    world.main["path"] = str(repository)
    world.write_config()
    assert ended_at_once(world, "restore", "latest", "--to", str(point / "out")) == 130
    assert ended_at_once(world, "export-key", "--to", str(point / "key.txt")) == 130
    assert not (world.root / "out").exists()

    world.config["paths"]["log"] = str(point / "log")
    world.write_config()
    process = world.start("nightly")
    time.sleep(3)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert world.archives() == []
    done = world.run("nightly")
    assert done.returncode == 1
    assert "cannot write log file" in done.stderr
    assert len(world.archives()) == 1
