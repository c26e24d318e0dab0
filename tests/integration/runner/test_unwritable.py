"""Folders that cannot be written: nothing half-done, somebody is told, and the exit code says it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from typing import TYPE_CHECKING

import msgspec
import pytest

from bkp.state.fields import Outcome
from tests.support.mailbox import Mailbox, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.runner_world import World


@pytest.fixture
def mailbox(world: World) -> Iterator[Mailbox]:
    box = Mailbox()
    box.start()
    box.configure(world.root / "msmtprc")
    world.config["mail"] = {"to": "root@example.com", "config": str(world.root / "msmtprc")}
    world.write_config()
    yield box
    box.stop()


@pytest.fixture
def mounted(world: World) -> Iterator[Path]:
    """The state folder as a small file system of its own."""
    world.state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "state", world.state], check=True)
    yield world.state
    subprocess.run(["umount", "--lazy", world.state], check=True)


def _mailed_failure(world: World, mailbox: Mailbox, word: str) -> None:
    done = world.run("nightly")
    assert done.returncode == 3
    assert word in done.stderr
    assert "Traceback" not in done.stderr
    (message,) = mailbox.messages()
    assert message["Subject"] == "[bkp] FAILED: nightly of main on backup.example.com"
    assert word in text_of(message, "plain")


def _status(world: World) -> str:
    return next(line for line in world.run("status").stdout.splitlines() if "nightly" in line)


def test_beside_a_state_that_is_read_only_the_backup_is_made_and_nothing_is_pruned(
    world: World, mailbox: Mailbox, mounted: Path
) -> None:
    world.main["keep"] = {"last": 1, "daily": 0, "weekly": 0, "monthly": 0}
    world.write_config()
    world.succeed("nightly")
    subprocess.run(["mount", "-o", "remount,ro", mounted], check=True)
    for night in range(2):
        done = world.run("nightly")
        assert done.returncode == 3
        assert "Read-only file system: nothing was removed" in done.stderr
        assert len(world.archives()) == 2 + night
    assert [message["Subject"].split()[1] for message in mailbox.messages()] == ["FAILED:", "FAILED:"]
    assert "failed" in _status(world)
    assert len(world.history()) == 1

    subprocess.run(["mount", "-o", "remount,rw", mounted], check=True)
    world.succeed("nightly")
    expected = [Outcome.SUCCESS, Outcome.FAILURE, Outcome.FAILURE, Outcome.SUCCESS]
    assert [run.outcome for run in world.history()] == expected
    assert "works again" in str(mailbox.messages()[-1]["Subject"])
    assert "ok" in _status(world)
    assert world.chain().intact
    assert len(world.archives()) == 1
    assert not list(world.lock.glob("unrecorded-*"))


def test_a_file_in_place_of_the_state_folder_is_mailed_and_the_backup_is_made(world: World, mailbox: Mailbox) -> None:
    world.state.write_text("in the way")
    _mailed_failure(world, mailbox, str(world.state))
    assert len(world.archives()) == 1


def test_a_mail_that_full_disks_cannot_keep_while_the_relay_is_down_is_counted_and_told_of_later(
    world: World, mailbox: Mailbox, mounted: Path
) -> None:
    world.lock.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "lock", world.lock], check=True)
    world.succeed("mail", "test")
    mailbox.stop()
    fillers = [mounted / "filler", world.lock / "filler"]
    for filler in fillers:
        with contextlib.suppress(OSError), filler.open("ab", buffering=0) as handle:
            while True:
                handle.write(b"x" * 4096)
    world.write_passphrase("wrong")
    done = world.run("check")
    assert done.returncode == 3
    assert "the report could not be mailed" in done.stderr
    assert "No space left on device" in done.stderr
    assert not list(world.lock.glob("outbox/*.eml")), "it is kept nowhere"
    status = world.run("status").stdout
    assert "1 mail was given up" in status

    for filler in fillers:
        filler.unlink()
    again = Mailbox()
    again.configure(world.root / "msmtprc")
    again.start()
    world.succeed("watch")
    again.stop()
    subprocess.run(["umount", "--lazy", world.lock], check=True)
    digest = again.messages()[0]
    assert digest["Subject"] == "[bkp] 1 mail of backup.example.com could not be delivered"
    assert "[bkp] FAILED: check of main" in text_of(digest, "plain")


def test_every_job_does_its_work_beside_a_state_that_cannot_be_written(
    world: World, mailbox: Mailbox, mounted: Path
) -> None:
    world.succeed("nightly")
    subprocess.run(["mount", "-o", "remount,ro", mounted], check=True)
    for job in ("check", "drill"):
        done = world.run(job)
        assert done.returncode == 3
        assert "the work is done all the same" in done.stderr


def test_a_failure_beside_a_state_that_cannot_be_written_is_told_first(
    world: World, mailbox: Mailbox, mounted: Path
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", mounted], check=True)
    world.write_passphrase("wrong")
    done = world.run("nightly", "--json")
    reason = json.loads(done.stdout)["reason"]
    assert "the passphrase is wrong" in reason
    assert "Read-only file system" in reason


def test_folders_of_the_state_are_the_groups_to_read_whatever_the_umask(world: World) -> None:
    before = os.umask(0o077)
    try:
        world.succeed("nightly")
    finally:
        os.umask(before)
    for folder in (world.state, world.state / "jobs", world.store.job_dir("nightly", "main")):
        assert folder.stat().st_mode & 0o777 == 0o750
    assert (world.state / "history.jsonl").stat().st_mode & 0o777 == 0o640


def test_a_lock_folder_that_cannot_be_made_is_mailed_and_recorded(world: World, mailbox: Mailbox) -> None:
    world.lock.write_text("in the way")
    _mailed_failure(world, mailbox, f"cannot open lock file {world.lock}")
    assert world.history()[-1].outcome is Outcome.FAILURE
    assert world.latest().mail == "sent"
    assert world.archives() == []


def test_a_full_state_folder_fails_the_run_and_leaves_what_was_there_whole(
    world: World, mailbox: Mailbox, mounted: Path
) -> None:
    world.succeed("nightly")
    good = world.last_success()
    with (mounted / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
        while True:
            ballast.write(b"x" * 512)
    done = world.run("nightly")
    assert done.returncode == 3
    assert "No space left on device" in done.stderr
    assert len(mailbox.raw) == 1
    assert world.last_success() == good
    assert len(world.archives()) == 2
    chain = world.chain()
    assert chain.problem is None
    assert not list(world.state.rglob(".*.tmp"))

    (mounted / "ballast").unlink()
    world.succeed("nightly")
    assert world.chain().intact
    assert world.latest().outcome is Outcome.SUCCESS


def test_a_damaged_history_is_named_and_mailed_and_the_night_is_recorded_everywhere(
    world: World, mailbox: Mailbox
) -> None:
    world.succeed("nightly")
    history = world.state / "history.jsonl"
    history.write_text("this is no record\n")
    done = world.run("nightly")
    assert done.returncode == 1
    assert f"{history}" in done.stderr
    assert history.read_text().startswith("this is no record\n")
    assert len(mailbox.raw) == 1
    assert world.latest() == world.last_success()
    assert world.latest() == msgspec.structs.replace(world.history()[-1], mail="sent")
    assert world.run("history").returncode == 3


@pytest.mark.parametrize("kind", ["symbolic link", "folder"])
def test_a_history_that_is_no_file_is_a_warning_nothing_is_pruned_and_archives_are_listed(
    world: World, mailbox: Mailbox, kind: str
) -> None:
    world.main["keep"] = {"last": 1, "daily": 0, "weekly": 0, "monthly": 0}
    world.write_config()
    world.succeed("nightly")
    history = world.state / "history.jsonl"
    history.unlink()
    if kind == "folder":
        history.mkdir()
    else:
        history.symlink_to("/dev/null")
    done = world.run("nightly")
    assert done.returncode == 1
    assert "what is usual is not known: nothing was pruned" in done.stderr
    assert world.latest() == world.last_success()
    assert world.latest().outcome is Outcome.WARNING
    assert len(mailbox.raw) == 1
    listed = world.run("list")
    assert listed.returncode == 0
    assert len(world.archives()) == 2
    assert all(name in listed.stdout for name in world.archives())


def test_without_a_state_folder_there_is_no_history_to_be_called_intact(world: World) -> None:
    done = world.run("history")
    assert done.returncode == 3
    assert f"no history can be shown: no state directory at {world.state}" in done.stderr


def test_a_run_that_died_beside_a_damaged_history_does_not_keep_the_next_from_its_work(
    world: World, mailbox: Mailbox
) -> None:
    world.kill_a_night_during("create")
    (world.state / "history.jsonl").mkdir()
    done = world.run("nightly")
    assert done.returncode == 1
    assert len(world.archives()) == 1
    assert world.last_success() == world.latest()


def test_a_missing_log_folder_is_a_warning_and_the_backup_is_made(world: World, mailbox: Mailbox) -> None:
    world.log.write_text("in the way")
    done = world.run("nightly")
    assert done.returncode == 1
    assert f"cannot write log file {world.log}" in done.stderr
    run = world.latest()
    assert (run.outcome, run.log) == (Outcome.WARNING, None)
    assert "cannot write log file" in (run.reason or "")
    assert len(world.archives()) == 1
    assert len(mailbox.raw) == 1


def test_a_log_disk_that_fills_up_is_a_warning_and_the_backup_is_made(world: World, mailbox: Mailbox) -> None:
    world.log.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "log", world.log], check=True)
    try:
        line = '{"type":"log_message","levelname":"INFO","name":"x","message":"%s of many lines"}\\n'
        world.wrap_borg(
            f'[ "$1" = create ] && for n in $(seq 200); do printf \'{line}\' "$n" >&2; done; exec "$BORG" "$@"'
        )
        done = world.run("nightly")
        assert done.returncode == 1, done.stderr
        assert "could not be written to its end: No space left on device" in done.stderr
        assert world.latest().outcome is Outcome.WARNING
    finally:
        subprocess.run(["umount", "--lazy", world.log], check=True)


@pytest.mark.parametrize("name", ["latest.json", "success.json"])
def test_a_folder_in_place_of_a_record_is_moved_aside_and_the_archive_is_made(
    world: World, mailbox: Mailbox, name: str
) -> None:
    folder = world.store.job_dir("nightly", "main") / name
    (folder / "kept").mkdir(parents=True)
    done = world.run("nightly")
    assert done.returncode == 1
    assert f"{folder} was a folder" in done.stderr
    assert len(world.archives()) == 1
    assert world.latest() == world.last_success()
    assert (next(folder.parent.glob(f"{name}.aside-*")) / "kept").is_dir()
    assert len(mailbox.raw) == 1
    world.succeed("nightly")


def test_a_scratch_folder_that_cannot_be_made_fails_the_drill(world: World) -> None:
    world.succeed("nightly")
    world.scratch.write_text("in the way")
    done = world.run("drill")
    assert done.returncode == 3
    assert "cannot make scratch folder" in done.stderr
    assert "remedy: set paths.scratch" in done.stderr
