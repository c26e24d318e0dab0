"""The outbox: nothing is lost but what a digest counts, whatever the mail server does and whoever is killed."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bkp.config import Config, parse_config
from bkp.errors import StateError
from bkp.mail import outbox as outbox_module
from bkp.mail.compose import compose
from bkp.mail.outbox import LARGEST_MAIL, MOST_BYTES, Outbox
from bkp.mail.post import MOST_REFUSED, deliver, outbox_of, post
from bkp.state.ledger import Ledger
from tests.support.fake_msmtp import FakeMsmtp
from tests.support.mailbox import text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from bkp.state.records import MailNote

NOW = datetime(2027, 1, 1, 1, 30, tzinfo=UTC)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """A small outbox."""
    monkeypatch.setattr(outbox_module, "MOST_MAILS", 4)
    return 4


@pytest.fixture
def msmtp(tmp_path: Path) -> FakeMsmtp:
    return FakeMsmtp(tmp_path)


@pytest.fixture
def config(tmp_path: Path, msmtp: FakeMsmtp) -> Config:
    (tmp_path / "state").mkdir(mode=0o750)
    return parse_config(
        "schema: 1\nhost: vault\nrepositories: {main: {path: /r, sources: [data]}}\nsources: {data: {path: /data}}\n"
        f"paths: {{state: {tmp_path}/state, lock: {tmp_path}/lock}}\n"
        f"mail: {{to: root@example.com, msmtp: {msmtp.path}, timeout: 5s}}\n"
    )


def write(config: Config, subject: str, *, now: datetime = NOW, size: int = 0) -> str:
    """Post a mail; return what became of it."""
    message = compose(config.mail, "vault", about="watch", subject=subject, text="x" * size, html=None, at=now)
    return post(config, message, lambda: now).result


def history(config: Config) -> list[MailNote]:
    found: list[MailNote] = []
    report = Ledger(Path(config.paths.state) / "history.jsonl").walk(lambda _run: None, found.append)
    assert report.intact
    return found


def test_a_mail_that_leaves_leaves_nothing_behind(config: Config, msmtp: FakeMsmtp) -> None:
    assert write(config, "one") == "sent"
    assert msmtp.subjects() == ["one"]
    assert outbox_of(config).look() == outbox_module.Waiting()
    (note,) = history(config)
    assert (note.about, note.to, note.result, note.message_id) == (
        "watch",
        "root@example.com",
        "sent",
        msmtp.mails()[0]["Message-ID"].strip(),
    )


def test_a_relay_that_is_down_for_a_week_gets_all_of_it_in_order(config: Config, msmtp: FakeMsmtp) -> None:
    msmtp.set("down")
    days = [NOW + timedelta(days=day) for day in range(7)]
    assert {write(config, f"day {day}", now=now) for day, now in enumerate(days)} == {"kept"}
    seen = outbox_of(config).look()
    assert (seen.mails, seen.oldest_at, seen.given_up) == (7, NOW, 0)
    assert [note.result for note in history(config)] == ["kept"] * 7
    msmtp.set("take")
    assert write(config, "day 7", now=days[-1]) == "sent"
    assert msmtp.subjects() == [f"day {day}" for day in range(8)]
    assert [note.result for note in history(config)] == ["kept"] * 7 + ["sent"] * 8
    assert msmtp.mails()[0]["Date"].datetime == NOW, "a mail says when it was written, not when it left"


def test_one_mail_that_the_server_refuses_keeps_no_other_waiting_and_is_given_up_in_the_end(
    config: Config, msmtp: FakeMsmtp
) -> None:
    msmtp.set("refuse one", "poison")
    assert write(config, "poison") == "kept"
    assert write(config, "good") == "sent"
    later = NOW + timedelta(days=4)
    deliver(config, lambda: later)
    assert (outbox_of(config).look().mails, outbox_of(config).look().given_up) == (0, 1)
    assert history(config)[-1].result == "failed"
    assert "given up" in str(history(config)[-1].reason)
    assert write(config, "next", now=later) == "sent", "the digest, which quotes it, is refused as well"
    msmtp.set("take")
    deliver(config, lambda: later)
    assert msmtp.subjects() == ["good", "next", "1 mail of vault could not be delivered"]
    assert "[bkp] poison" in msmtp.mails()[-1].get_content()
    assert outbox_of(config).look() == outbox_module.Waiting()


def test_a_server_that_refuses_everything_is_not_asked_two_hundred_times(
    config: Config, msmtp: FakeMsmtp, tmp_path: Path
) -> None:
    msmtp.set("down")
    for number in range(MOST_REFUSED + 3):
        write(config, str(number))
    msmtp.set("refuse")
    before = len(list(tmp_path.glob("tmp.*")))
    assert "we do not like you" in str(deliver(config, lambda: NOW).reason)
    assert len(list(tmp_path.glob("tmp.*"))) - before == MOST_REFUSED


def test_a_server_that_hangs_costs_one_time_limit_and_loses_nothing(config: Config, msmtp: FakeMsmtp) -> None:
    msmtp.set("hang")
    quick = parse_config(
        "schema: 1\nhost: vault\nrepositories: {main: {path: /r, sources: [data]}}\nsources: {data: {path: /data}}\n"
        f"paths: {{state: {config.paths.state}, lock: {config.paths.lock}}}\n"
        f"mail: {{to: root@example.com, msmtp: {msmtp.path}, timeout: 1s}}\n"
    )
    assert write(quick, "one") == "kept"
    assert "took longer than 1s" in str(history(quick)[-1].reason)
    msmtp.set("take")
    deliver(config, lambda: NOW)
    assert msmtp.subjects() == ["one"]


def test_overflow_becomes_one_digest_that_names_the_count(config: Config, msmtp: FakeMsmtp, few: int) -> None:
    outbox = outbox_of(config)
    for number in range(few + 30):
        outbox.put(f"Subject: number {number}\n\nx".encode(), NOW + timedelta(minutes=number))
    seen = outbox.look()
    assert (seen.mails, seen.given_up) == (few, 30)
    deliver(config, lambda: NOW)
    first, *others = msmtp.mails()
    assert first["Subject"] == "[bkp] 30 mails of vault could not be delivered"
    assert "number 19\n  … and 10 more\n" in first.get_content()
    assert [each["Subject"] for each in others] == [f"number {number}" for number in range(30, few + 30)]


def test_an_outbox_that_became_read_only_keeps_no_new_mail_waiting(
    config: Config, msmtp: FakeMsmtp, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(few + 1):
        outbox_of(config).put(f"Subject: old {number}\n\nx".encode(), NOW)

    def read_only(path: Path, *_arguments: object, real: Any = Path.unlink, **options: Any) -> None:
        if path.is_relative_to(config.paths.state):
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        real(path, **options)

    monkeypatch.setattr(Path, "unlink", read_only)
    monkeypatch.setattr(outbox_module, "MOST_MAILS", few + 1)
    message = compose(config.mail, "vault", about="watch", subject="new", text="", html=None, at=NOW)
    assert post(config, message, lambda: NOW).result == "sent"
    subjects = msmtp.subjects()
    assert subjects == [
        "1 mail of vault could not be delivered",
        *(f"old {number}" for number in range(1, few + 1)),
        "new",
    ]
    assert "Read-only file system" in str(deliver(config, lambda: NOW).reason)
    assert outbox_of(config).look().mails == few + 1


def test_the_bytes_are_bounded_too(config: Config) -> None:
    outbox = outbox_of(config)
    for number in range(14):
        outbox.put(f"Subject: {number}\n\n".encode() + b"x" * (LARGEST_MAIL - 100), NOW)
    seen = outbox.look()
    assert seen.bytes <= MOST_BYTES
    assert seen.mails + seen.given_up == 14
    with pytest.raises(StateError, match="too large"):
        outbox.put(b"x" * (LARGEST_MAIL + 1), NOW)


def test_what_overflows_while_the_digest_is_sent_is_counted_in_the_next_one(config: Config, few: int) -> None:
    outbox = outbox_of(config)
    for number in range(few + 2):
        outbox.put(f"Subject: {number}\n\n".encode(), NOW)
    told = outbox.overflow()
    assert told is not None
    outbox.put(b"Subject: another\n\n", NOW)
    outbox.told(told)
    left = outbox.overflow()
    assert left is not None
    assert (left.count, left.message_id != told.message_id) == (1, True)


def die_during(action: Callable[[], object], step: int) -> bool:
    """Act in a process of its own that kills itself before that step; return whether it came to its end."""
    child = os.fork()
    if child == 0:
        left = step

        def killing(call: Callable[..., Any]) -> Callable[..., Any]:
            def wrapped(*args: Any, **options: Any) -> Any:
                nonlocal left
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*args, **options)

            return wrapped

        for name in ("open", "replace", "unlink", "fsync"):
            setattr(os, name, killing(getattr(os, name)))
        action()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_killed_at_every_step_nothing_is_lost_that_is_not_counted(tmp_path: Path, few: int) -> None:
    """The new one makes the oldest one go, which is the longest way of all."""
    for step in range(1, 60):
        folder = tmp_path / str(step)
        (folder / "state").mkdir(parents=True)
        outbox = Outbox(folder / "state", folder / "lock")
        for number in range(few):
            outbox.put(f"Subject: {number}\n\n".encode(), NOW)
        ended = die_during(partial(outbox.put, b"Subject: the new one\n\n", NOW), step)
        names = [each.path.name for each in outbox.kept()]
        overflow = outbox.overflow()
        new = sum(name.startswith(f"{few + 1:010d}") for name in names)
        assert len(names) - new + (overflow.count if overflow else 0) == few, f"step {step}"
        outbox.put(b"Subject: afterwards\n\n", NOW)
        assert len(outbox.kept()) <= few
        left = {path.name for path in (folder / "state/outbox").iterdir() if path.suffix == ".eml"}
        assert left == {each.path.name for each in outbox.kept()}, "what was given up is gone"
        if ended:
            assert new == 1
            return
    pytest.fail("it was always killed")


def test_killed_while_a_digest_is_noted_as_told_what_it_did_not_tell_stays_counted(tmp_path: Path) -> None:
    for step in range(1, 60):
        folder = tmp_path / str(step)
        (folder / "state").mkdir(parents=True)
        outbox = Outbox(folder / "state", folder / "lock")
        for _ in range(2):
            outbox.count_lost(b"Subject: told of\n\n", NOW)
        told = outbox.overflow()
        assert told is not None
        (folder / "lock/outbox").mkdir()
        shutil.copy2(folder / "state/outbox/overflow.json", folder / "lock/outbox")  # the state was full for a while
        outbox.count_lost(b"Subject: not told of\n\n", NOW)
        ended = die_during(partial(outbox.told, told), step)
        left = outbox.overflow()
        assert left is not None, f"step {step}"
        assert left.count in ({1} if ended else {1, 2, 3}), f"step {step}"
        if ended:
            return
    pytest.fail("it was always killed")


def test_killed_after_the_server_took_it_a_mail_comes_twice_with_one_id(config: Config, msmtp: FakeMsmtp) -> None:
    outbox = outbox_of(config)
    message = compose(config.mail, "vault", about="test", subject="once", text="x", html=None, at=NOW)
    outbox.put(message.as_bytes(), NOW)
    msmtp.set("die")
    code = (
        "import sys\nfrom pathlib import Path\nfrom bkp.config import load_config\nfrom bkp.mail.post import deliver\n"
        "deliver(load_config(Path(sys.argv[1])))\n"
    )
    path = Path(config.paths.state).parent / "config.yml"
    path.write_text(
        "schema: 1\nhost: vault\nrepositories: {main: {path: /r, sources: [data]}}\nsources: {data: {path: /data}}\n"
        f"paths: {{state: {config.paths.state}, lock: {config.paths.lock}}}\n"
        f"mail: {{to: root@example.com, msmtp: {msmtp.path}, timeout: 5s}}\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, check=False)
    assert killed.returncode == -9
    msmtp.set("take")
    deliver(config, lambda: NOW)
    assert [each["Message-ID"].strip() for each in msmtp.mails()] == [message["Message-ID"]] * 2


def test_a_state_directory_that_takes_nothing_leaves_the_folder_of_locks(config: Config, msmtp: FakeMsmtp) -> None:
    state = Path(config.paths.state)
    (state / "outbox").write_text("in the way")
    msmtp.set("down")
    assert write(config, "one") == "kept"
    (waiting,) = (Path(config.paths.lock) / "outbox").iterdir()
    assert waiting.stat().st_mode & 0o777 == 0o600
    (state / "outbox").unlink()
    assert write(config, "two") == "kept"
    msmtp.set("take")
    deliver(config, lambda: NOW)
    assert msmtp.subjects() == ["one", "two"]


def test_a_state_directory_that_is_not_there_is_not_made_as_it_may_be_a_mount_point(
    config: Config, msmtp: FakeMsmtp
) -> None:
    Path(config.paths.state).rmdir()
    msmtp.set("down")
    assert write(config, "one") == "kept"
    assert not Path(config.paths.state).exists()


def test_where_nothing_can_be_kept_the_mail_leaves_now_or_is_said_to_be_lost(config: Config, msmtp: FakeMsmtp) -> None:
    for folder in (config.paths.state, config.paths.lock):
        Path(folder).mkdir(exist_ok=True)
        (Path(folder) / "outbox").write_text("in the way")
    assert write(config, "one") == "sent"
    msmtp.set("down")
    assert write(config, "two") == "failed"
    assert [note.result for note in history(config)] == ["sent", "failed"]


@pytest.mark.parametrize("char", ["x", "ä", "夜", "\U0001f512", "\x00"])
def test_no_mail_is_too_large_to_wait_whatever_it_is_written_in(config: Config, msmtp: FakeMsmtp, char: str) -> None:
    msmtp.set("down")
    texts = [f"{char * 70}\n" * size for size in (100, 1000, 10_000)]
    mails = [compose(config.mail, "vault", about="run", subject="long", text=text, html=text, at=NOW) for text in texts]
    assert [post(config, mail, lambda: NOW).result for mail in mails] == ["kept"] * 3
    plain = text_of(mails[-1], "plain")
    assert "this text is too long for a mail" in plain
    assert len(plain) > 30_000
    assert outbox_of(config).look().given_up == 0


def test_a_mail_that_is_neither_sent_nor_kept_is_counted_on_a_full_disk_too(
    config: Config, msmtp: FakeMsmtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(config, "the first one makes the reserve")
    reserve = Path(config.paths.state) / "outbox/reserve"
    assert reserve.stat().st_mode & 0o777 == 0o600

    def full(descriptor: int, real: Any = os.fsync) -> None:
        facts = os.fstat(descriptor)
        if stat.S_ISREG(facts.st_mode) and (reserve.exists() or facts.st_size > 2000):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    msmtp.set("down")
    monkeypatch.setattr(os, "fsync", full)
    assert [write(config, subject, size=9000) for subject in ("lost", "lost as well")] == ["failed", "failed"]
    monkeypatch.undo()
    assert outbox_of(config).look().given_up == 2
    msmtp.set("take")
    assert write(config, "new") == "sent"
    assert msmtp.subjects()[1:] == ["2 mails of vault could not be delivered", "new"]
    assert "[bkp] lost as well" in msmtp.mails()[1].get_content()
    assert reserve.exists(), "for the next time"


def test_a_count_that_cannot_be_read_is_told_of_and_stops_nothing(config: Config, msmtp: FakeMsmtp) -> None:
    folder = Path(config.paths.state) / "outbox"
    folder.mkdir()
    (folder / "overflow.json").write_bytes(b"{")
    assert "overflow.json" in str(outbox_of(config).look().problem)
    assert write(config, "one") == "sent"
    assert msmtp.subjects() == ["1 mail of vault could not be delivered", "one"]
    assert "how many there were is not known" in msmtp.mails()[0].get_content()
    assert outbox_of(config).look() == outbox_module.Waiting()


def test_an_outbox_that_cannot_be_listed_is_not_an_empty_one(config: Config) -> None:
    from tests.unit.core.support import run_unprivileged

    folder = Path(config.paths.state) / "outbox"
    folder.mkdir(mode=0o700)
    code = (
        "from pathlib import Path\nfrom bkp.mail.outbox import Outbox\n"
        f"print(Outbox(Path({config.paths.state!r}), Path({config.paths.lock!r})).look().problem)"
    )
    assert "cannot be looked at: Permission denied" in run_unprivileged(Path(config.paths.state), code)


def test_a_file_with_another_name_is_a_mail_all_the_same_and_the_first_one(config: Config, msmtp: FakeMsmtp) -> None:
    """The unit that mails for a broken Python writes one like that."""
    msmtp.set("down")
    write(config, "one")
    (Path(config.paths.state) / "outbox/unit-borg-backup.eml").write_text("To: root@example.com\nSubject: unit\n\nx\n")
    msmtp.set("take")
    deliver(config, lambda: NOW)
    assert msmtp.subjects() == ["unit", "one"]
    assert [note.about for note in history(config)] == ["watch", "unit", "watch"]
