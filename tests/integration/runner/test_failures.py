"""What goes wrong with a repository: each failure has its reason, its remedy, exit code 3, and a record."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from bkp.state.fields import Outcome
from tests.support.repositories import BORG, make_repository, prove
from tests.support.runner_world import borg_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.runner_world import World


def _fails(world: World, *words: str, job: str = "nightly", code: int = 3) -> str:
    done = world.run(job)
    assert done.returncode == code, done.stderr
    for word in words:
        assert word in done.stderr
    run = world.latest(job)
    assert run.outcome is Outcome.FAILURE
    assert run.ended_at is not None
    assert run.remedy, "a failure that is recorded and mailed says what to do about it"
    assert world.history()[-1] == run
    assert world.chain().intact
    return run.reason or ""


def test_a_wrong_passphrase_is_named(world: World) -> None:
    world.write_passphrase("not the passphrase")
    reason = _fails(world, "the passphrase is wrong", "remedy: compare")
    assert "not the passphrase" not in reason
    assert "PassphraseWrong" in world.step("prepare").message_ids


def test_a_passphrase_file_that_is_gone_is_named_and_recorded(world: World) -> None:
    world.passphrase_file.unlink()
    _fails(world, f"{world.passphrase_file}: the passphrase file cannot be read", "remedy:")


def test_a_passphrase_file_that_others_may_read_is_a_warning(world: World) -> None:
    world.passphrase_file.chmod(0o644)
    done = world.run("check")
    assert done.returncode == 1
    assert "has mode 0644, wanted at most 0600" in done.stderr
    assert world.latest("check").outcome is Outcome.WARNING


def test_a_repository_that_is_not_there_is_named(world: World) -> None:
    shutil.rmtree(world.repository)
    _fails(world, "there is no repository at that path", "is mounted and its key loaded")


def test_a_folder_that_is_no_repository_is_named(world: World) -> None:
    shutil.rmtree(world.repository)
    world.repository.mkdir()
    (world.repository / "README").write_text("something else")
    _fails(world, "not a usable repository")


def test_a_repository_that_was_moved_is_not_taken_for_granted(world: World) -> None:
    world.use_the_usual_borg()
    world.succeed("nightly")
    moved = world.root / "moved"
    world.repository.rename(moved)
    world.main["path"] = str(moved)
    world.write_config()
    _fails(world, "the repository was moved", f"BORG_BASE_DIR={world.base} borg info {moved}")


def test_a_repository_locked_by_another_borg_is_named_and_left_alone(world: World) -> None:
    world.use_the_usual_borg()
    world.config["lock_wait"] = "1s"
    world.write_config()
    other = subprocess.Popen(
        [BORG, "with-lock", str(world.repository), "sh", "-c", "echo held; exec sleep 600"],
        env=borg_environment(world.base),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        _fails(world, "the repository is locked by another borg", "borg break-lock")
        assert "LockTimeout" in world.step("prepare").message_ids
    finally:
        world.borg("break-lock", str(world.repository))
        other.terminate()
        other.communicate()
    world.succeed("nightly")


def test_a_borg_that_is_killed_is_a_failure_and_the_next_night_is_well(world: World) -> None:
    world.wrap_borg('[ "$1" = create ] || exec "$BORG" "$@"; "$BORG" "$@" & sleep 0.3; kill -9 $! $$')
    _fails(world, "borg was ended by a signal", "out of memory")
    world.unwrap_borg()
    world.succeed("nightly")


def test_a_borg_that_is_not_installed_is_named(world: World) -> None:
    world.main["borg"] = str(world.root / "no-borg")
    world.write_config()
    _fails(world, "no-borg is not installed, or not executable", "remedy: install its Debian package")


def test_an_option_that_borg_does_not_know_is_called_our_defect(world: World) -> None:
    world.wrap_borg('[ "$1" = create ] || exec "$BORG" "$@"; shift; exec "$BORG" create --no-such-option "$@"')
    _fails(world, "borg did not accept the command line", "this is a defect of bkp, or a borg older than 1.2.4")


def test_a_borg_that_takes_too_long_is_ended(world: World) -> None:
    world.config["jobs"] = {"nightly": {"timeout": "1s"}}
    world.wrap_borg('[ "$1" = create ] || exec "$BORG" "$@"; exec sleep 600')
    _fails(world, "borg took longer than its time limit", "remedy: raise jobs")
    world.wait_until_idle()


def test_less_free_space_than_the_repository_reserves_is_named(world: World) -> None:
    world.borg("config", str(world.repository), "additional_free_space", "1000T")
    (world.docs / "big").write_bytes(os.urandom(200_000))
    _fails(world, "there is not enough free space", "remedy: free space, or reduce retention")
    world.borg("config", str(world.repository), "additional_free_space", "0")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MiB. Every test that needs one runs as root, as the suite in CI does."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "small", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_below_the_repository_is_named_and_what_was_there_stays_whole(
    world: World, small_disk: Path
) -> None:
    repository = small_disk / "repo"
    make_repository(repository, borg_environment(world.base))
    world.main["path"] = str(repository)
    # borg wants a whole segment, 500 MB, to compact many small ones
    world.wrap_borg('[ "$1" != compact ] || exit 0; exec "$BORG" "$@"')
    world.succeed("nightly")
    world.unwrap_borg()
    (world.docs / "too-big").write_bytes(os.urandom(30_000_000))
    _fails(world, "there is not enough free space")
    prove(repository, borg_environment(world.base))
    assert [step.name for step in world.latest().steps] == ["prepare", "create"]


def test_what_a_disk_lacks_that_is_too_full_to_compact_is_said(world: World, small_disk: Path) -> None:
    repository = small_disk / "repo"
    make_repository(repository, borg_environment(world.base))
    world.main["path"] = str(repository)
    world.write_config()
    _fails(
        world, "there is not enough free space to compact", "required: ", "remedy: free as much as borg requires there"
    )
    assert [step.outcome for step in world.latest().steps if step.name == "compact"] == ["failure"]


# ---------------------------------------------------------------- damage


def _flip(world: World) -> None:
    """Change some bytes in the middle of the stored data, as a bad disk would."""
    world.damaged_on_purpose = True
    segment = max((path for path in (world.repository / "data").rglob("*") if path.is_file()), key=os.path.getsize)
    content = bytearray(segment.read_bytes())
    middle = len(content) // 2
    for at in range(middle, middle + 8):
        content[at] ^= 0xFF
    segment.write_bytes(content)


@pytest.mark.parametrize("job", ["check", "verify", "drill"])
def test_damage_is_a_failure_of_every_job_that_looks(world: World, job: str) -> None:
    for path in list(world.docs.rglob("*.txt")):
        path.unlink()
    (world.docs / "only").write_bytes(os.urandom(600_000))
    world.succeed("nightly")
    world.succeed(job)
    _flip(world)
    reason = _fails(world, "remedy:", job=job)
    assert "damage" in reason or "are not what was backed up" in reason
    done = world.run("status", "--json")
    assert done.returncode == 3
    assert f'"job":"{job}","target":"main","status":"failed"' in done.stdout


def test_a_check_that_is_ended_is_not_called_damage(world: World) -> None:
    world.succeed("nightly")
    world.wrap_borg('[ "$1" = check ] || exec "$BORG" "$@"; kill -TERM $$')
    reason = _fails(world, job="check")
    assert "damaged" not in reason
    assert "ended by a signal" in reason


# ---------------------------------------------------------------- nobody may be left


def test_a_killed_run_takes_its_borg_with_it(world: World) -> None:
    world.hold_borg("create")
    process = world.start("nightly")
    world.wait_until_held(process)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    world.wait_until_idle()


# ---------------------------------------------------------------- what a power cut leaves of borg's own


@pytest.mark.parametrize("damage", ["emptied", "cut", "noise"])
def test_a_cache_that_a_power_cut_damaged_costs_time_and_no_backup(world: World, damage: str) -> None:
    world.main["keep"] = {"last": 20}
    world.write_config()
    world.succeed("nightly")
    for nights, name in ((1, "config"), (3, "chunks"), (5, "files")):
        (cache,) = (world.base / ".cache/borg").glob("*/config")
        path = cache.with_name(name)
        content = path.read_bytes()
        path.write_bytes({"emptied": b"", "cut": content[: len(content) // 2], "noise": b"\0" * len(content)}[damage])
        done = world.run("nightly")
        assert done.returncode in {0, 1}, (name, done.stderr)
        warned = any(message.level == "warning" for message in world.latest().messages)
        assert (done.returncode == 1) is warned, name
        assert world.latest().archive == world.last_success().archive, name
        assert len(world.archives()) == nights + 1, name
        world.succeed("nightly")


def test_a_cache_that_was_removed_is_said_in_record_and_mail(world: World) -> None:
    world.succeed("nightly")
    (config,) = (world.base / ".cache/borg").glob("*/config")
    config.write_bytes(b"")
    done = world.run("nightly")
    assert done.returncode == 1
    assert "borg's cache of this repository was damaged" in (world.latest().reason or "")
    assert world.latest().archive is not None


def test_a_damaged_part_of_the_cache_that_borg_mends_is_told_as_such(world: World) -> None:
    world.succeed("nightly")
    (config,) = (world.base / ".cache/borg").glob("*/config")
    cache, older = config.parent, world.base / "older-cache"
    shutil.rmtree(cache)
    world.succeed("nightly")  # makes the cache anew, and keeps an index of each archive beside it
    shutil.copytree(cache, older)
    world.succeed("nightly")
    # As after a night that was cut off before borg wrote its cache: the next borg puts it together from those indexes.
    shutil.rmtree(cache)
    shutil.copytree(older, cache)
    (integrity,) = cache.glob("chunks.archive.d/*.integrity")
    integrity.write_bytes(b"")
    done = world.run("nightly")
    assert done.returncode == 1, done.stderr
    assert "a part of borg's cache was damaged" in (world.latest().reason or "")
    assert world.latest().archive is not None
    world.succeed("nightly")


def _lock_of(world: World, pid: int) -> None:
    """Leave behind what a borg with this number leaves when the power goes."""
    held = world.repository / "lock.exclusive"
    held.mkdir()
    host = _host_id()
    (held / f"{host}.{pid}-0").touch()
    roster = {"exclusive": [[host, pid, 0]]}
    (world.repository / "lock.roster").write_text(json.dumps(roster), encoding="utf-8")


def _host_id() -> str:
    """Return what borg calls this host in its locks."""
    program = "from borg.platform.base import hostid; print(hostid)"
    return subprocess.run(
        ["/usr/bin/python3", "-c", program], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_a_lock_of_a_dead_borg_whose_number_another_program_has_by_now_is_removed(world: World) -> None:
    other = subprocess.Popen(["/usr/bin/sleep", "600"])
    try:
        _lock_of(world, other.pid)
        world.succeed("nightly")
        assert "removing the lock that a borg left behind" in world.log_text(world.latest())
    finally:
        other.kill()
        other.wait()


def test_a_lock_whose_number_a_borg_has_is_left_alone(world: World) -> None:
    world.config["lock_wait"] = "1s"
    world.write_config()
    borg = subprocess.Popen(["borg", "600"], executable="/usr/bin/sleep")
    try:
        _lock_of(world, borg.pid)
        _fails(world, "the repository is locked by another borg")
        assert (world.repository / "lock.exclusive").exists()
    finally:
        borg.kill()
        borg.wait()
    world.succeed("nightly")


@pytest.mark.parametrize("version", ["1.1.16", "2.0.0b14"])
def test_a_borg_that_bkp_was_not_made_for_is_named_before_it_is_asked_for_anything(world: World, version: str) -> None:
    wrapper = world.wrap_borg(f'echo "$1" >>"$0.calls"; [ "$1" = --version ] && echo "borg {version}"')
    for _ in range(2):  # the second time its version is known
        _fails(world, f"{wrapper} is borg {version}; wanted 1.2.4 or newer of the 1.x series", "remedy: install")
    assert wrapper.with_name(f"{wrapper.name}.calls").read_text() == "--version\n"
    run = world.latest()
    assert run.versions["borg"] == version
    assert run.steps == ()
