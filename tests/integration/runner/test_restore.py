"""restore gives back what was there, says what it cannot, can be ended, and plans only what it would do."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.runner_world import World


def _below(folder: Path, source: Path) -> Path:
    return folder / str(source).lstrip("/")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
@pytest.mark.parametrize("operation", ["list", "extract"])
def test_a_restore_hears_a_signal_whatever_borg_does(world: World, number: signal.Signals, operation: str) -> None:
    world.succeed("nightly")
    world.hold_borg(operation)
    folder = world.root / "out"
    process = world.start("restore", "latest", "--to", str(folder))
    world.wait_until_held(process)
    for _ in range(5):
        process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert f"interrupted by {number.name}" in err
    assert not folder.exists()
    world.wait_until_idle()


def test_what_was_restored_before_the_signal_stays_and_is_said_to_be_a_part(world: World) -> None:
    world.succeed("nightly")
    archive = world.archives()[-1]
    world.wrap_borg(
        '[ "$1" = extract ] || exec "$BORG" "$@"\n"$BORG" "$@"; touch "$0.held"; while :; do sleep 0.05; done'
    )
    folder = world.root / "out"
    process = world.start("restore", "latest", "--to", str(folder))
    world.wait_until_held(process)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"what {folder} holds is a part of {archive}" in err
    assert (_below(folder, world.docs) / "part 0" / "file-0.txt").is_file()


def test_all_of_an_archive_lies_below_the_root_and_a_sparse_file_stays_sparse(world: World) -> None:
    path = world.docs / "sparse"
    with path.open("wb") as file:
        file.truncate(64 << 20)
        file.seek(60 << 20)
        file.write(b"x")
    world.succeed("nightly")
    folder = world.root / "out"
    world.succeed("restore", "latest", "/", "--to", str(folder))
    restored = _below(folder, path)
    assert restored.read_bytes() == path.read_bytes()
    assert restored.stat().st_blocks * 512 < 16 << 20


@pytest.fixture
def ramfs(world: World) -> Iterator[Path]:
    """A file system without ACLs."""
    point = world.root / "ramfs"
    point.mkdir()
    subprocess.run(["mount", "-t", "ramfs", "none", point], check=True)
    yield point
    subprocess.run(["umount", "--lazy", point], check=True)


def test_a_target_that_keeps_no_acls_is_named(world: World, ramfs: Path) -> None:
    subprocess.run(["setfacl", "-m", "u:33:rw", world.docs / "part 0" / "file-0.txt"], check=True)
    world.succeed("nightly")
    done = world.run("restore", "latest", "--to", str(ramfs / "out"))
    assert done.returncode == 1
    assert f"the file system of {ramfs}/out keeps no ACLs" in done.stderr
    assert json.loads(world.run("restore", "latest", "--to", str(ramfs / "two"), "--json").stdout)["warnings"] is True
    folder = world.root / "out"
    world.succeed("restore", "latest", "--to", str(folder))
    found = subprocess.run(
        ["getfacl", "-n", _below(folder, world.docs) / "part 0" / "file-0.txt"], capture_output=True, text=True
    )
    assert "user:33:rw-" in found.stdout


def test_a_dry_run_refuses_the_folders_that_the_real_one_refuses(world: World) -> None:
    world.succeed("nightly")
    used, file = world.root / "used", world.root / "file"
    used.mkdir()
    (used / "x").touch()
    file.touch()
    closed = world.root / "closed"
    closed.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", closed], check=True)
    try:
        for folder, code, word in (
            (used, 2, "is not empty"),
            (file, 2, "is a file"),
            (file / "below", 2, "is a file"),
            (closed, 3, "Read-only file system"),
            (closed / "deep" / "er", 3, "Read-only file system"),
        ):
            for more in ((), ("--dry-run",)):
                done = world.run("restore", "latest", "--to", str(folder), *more)
                assert done.returncode == code, (folder, more, done.stderr)
                assert word in done.stderr
    finally:
        subprocess.run(["umount", closed], check=True)
    new = world.root / "new" / "deep"
    world.succeed("restore", "latest", "--to", str(new), "--dry-run")
    assert not new.parent.exists()
    (world.root / "empty").mkdir()
    world.succeed("restore", "latest", "--to", str(world.root / "empty"))


@pytest.mark.parametrize("command", [("list",), ("restore", "latest", "--to", "/nowhere/out", "--dry-run")])
def test_who_holds_the_lock_is_said_before_it_is_waited_for(world: World, command: tuple[str, ...]) -> None:
    world.succeed("nightly")
    assert "waiting" not in world.run(*command).stderr
    world.hold_borg("create")
    holder = world.start("nightly")
    world.wait_until_held(holder)
    done = world.run(*command, "--lock-wait", "1s")
    assert f"waiting up to 1s for the lock of main: nightly on main, pid {holder.pid}, since " in done.stderr
    (world.root / "borg-wrapper.go").touch()
    holder.communicate(timeout=300)


def test_a_borg_that_somebody_else_started_is_named(world: World) -> None:
    world.succeed("nightly")
    other = subprocess.Popen(
        ["/usr/bin/borg", "with-lock", str(world.repository), "sleep", "30"],
        env={"BORG_BASE_DIR": str(world.base), "BORG_PASSPHRASE": "x", "PATH": "/usr/bin:/bin"},
    )
    try:
        while not world.locks():
            assert other.poll() is None
        done = world.run("list", "--lock-wait", "1s")
        assert f"waiting up to 1s for the lock of main: pid {other.pid} of " in done.stderr
        assert done.returncode == 3
    finally:
        other.terminate()
        other.wait()
