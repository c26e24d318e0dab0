"""The cause that is told is the cause: the real borg on file systems that are read-only or full, and moved."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.runner_world import World


@pytest.fixture
def small(world: World) -> Iterator[Path]:
    """A file system of its own with room for little more than the site's repository."""
    point = world.root / "small"
    point.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "small", point], check=True)
    yield point
    subprocess.run(["umount", "--lazy", point], check=True)


def test_a_read_only_repository_is_locked_by_nobody(world: World, small: Path) -> None:
    subprocess.run(["cp", "-a", world.repository, small / "repo"], check=True)
    world.main["path"] = str(small / "repo")
    world.write_config()
    subprocess.run(["mount", "-o", "remount,ro", small], check=True)
    for command in (("nightly",), ("check",), ("list",)):
        done = world.run(*command)
        assert done.returncode == 3
        assert "is read-only" in done.stderr
        assert "locked" not in done.stderr
        assert "break-lock" not in done.stderr


def test_a_full_target_of_a_restore_is_not_the_repository(world: World, small: Path) -> None:
    with (world.docs / "large").open("wb") as file:
        file.write(bytes(range(256)) * (48 << 10))
    world.succeed("nightly")
    done = world.run("restore", "latest", "--to", str(small / "out"))
    assert done.returncode == 3
    assert "there is not enough free space in the folder that is restored to" in done.stderr
    assert "retention" not in done.stderr
    assert "prune" not in done.stderr


def test_the_remedies_for_a_repository_that_was_moved_or_set_back_work_as_they_are_printed(world: World) -> None:
    world.succeed("nightly")
    moved = world.root / "moved"
    world.repository.rename(moved)
    world.repository = moved
    world.main["path"] = str(moved)
    world.write_config()
    done = world.run("nightly")
    assert done.returncode == 3
    assert f"the repository lies at {moved} and lay at {world.root}/repo: nothing that was checked there" in done.stderr
    command = f"BORG_BASE_DIR={world.base} {world.main['borg']} info {moved}"
    assert f"run `{command}` once by hand" in done.stderr
    passphrase = world.passphrase_file
    subprocess.run(["sh", "-c", f". {passphrase}; echo y | {command}"], check=True, capture_output=True)
    world.succeed("nightly")
    older = world.root / "older"
    shutil.copytree(moved, older)
    world.succeed("nightly")
    shutil.rmtree(moved)
    older.rename(moved)
    done = world.run("nightly")
    assert done.returncode == 3
    assert "the repository is older than what this server has seen of it" in done.stderr
    remedy = next(line for line in done.stderr.splitlines() if "remedy: if you put an older copy" in line)
    for command in remedy.split("`")[1::2]:
        subprocess.run(["sh", "-c", f". {passphrase}; {command}"], check=True, capture_output=True)
    assert "1 archive is gone that no prune of ours removed" in world.run("nightly").stderr
