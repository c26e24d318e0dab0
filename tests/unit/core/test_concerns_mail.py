"""Concerns about what reaches people: mails that wait or are lost, and a watch that does not look."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bkp.concerns.mail import concerns
from bkp.config import Config, parse_config
from bkp.mail.outbox import Outbox
from bkp.state.store import StateStore
from bkp.state.watch import WatchRecord, read_watch, watch_paths, write_watch
from bkp.survey import survey
from tests.support.records import a_mail

if TYPE_CHECKING:
    from bkp.concerns import Concern

NOW = datetime(2027, 1, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "state").mkdir()
    found = parse_config(
        "schema: 1\nrepositories: {main: {path: /r, sources: [data]}}\nsources: {data: {path: /data}}\n"
        f"paths: {{state: {tmp_path}/state, lock: {tmp_path}/lock}}\nmail: {{to: root@example.com}}\n"
    )
    looked(found, NOW)
    return found


def looked(config: Config, at: datetime) -> None:
    write_watch(config, WatchRecord(host="vault", looked_at=at))


def seen(config: Config, now: datetime = NOW) -> list[Concern]:
    store = StateStore(Path(config.paths.state))
    return list(concerns(config, survey(config, store, lambda: now, UTC, lambda _process: False)))


def kinds(config: Config, now: datetime = NOW) -> list[str]:
    return [each.kind for each in seen(config, now)]


def outbox(config: Config) -> Outbox:
    return Outbox(Path(config.paths.state), Path(config.paths.lock))


def test_all_is_well_and_nothing_is_said(config: Config) -> None:
    assert seen(config) == []


def test_mails_may_wait_for_an_hour(config: Config) -> None:
    for minutes in (70, 30):
        outbox(config).put(b"Subject: x\n\n", NOW - timedelta(minutes=minutes))
    (concern,) = seen(config)
    assert (concern.kind, concern.since) == ("mail_waiting", NOW - timedelta(minutes=70))
    assert "2 mails wait to be sent, the oldest for 1h 10m" in concern.sentence
    looked(config, NOW - timedelta(minutes=20))
    assert kinds(config, NOW - timedelta(minutes=20)) == [], "and not for less"


def test_a_mail_from_the_future_waits_for_a_time_that_nobody_knows(config: Config) -> None:
    outbox(config).put(b"Subject: x\n\n", NOW + timedelta(days=9))
    assert "for a time that is not known" in seen(config)[0].sentence


def test_an_outbox_that_cannot_be_seen_is_not_empty(config: Config) -> None:
    folder = Path(config.paths.state) / "outbox"
    folder.mkdir()
    (folder / "overflow.json").write_bytes(b"{")
    assert "is not known" in next(each for each in seen(config) if each.kind == "mail_waiting").sentence


def test_mails_that_were_given_up_and_one_that_could_not_be_kept_are_lost(config: Config) -> None:
    box = outbox(config)
    box.give_up(box.put(b"Subject: x\n\n", NOW), NOW)
    assert kinds(config) == ["mail_failed"]
    overflow = box.overflow()
    assert overflow is not None
    box.told(overflow)
    assert kinds(config) == []
    StateStore(Path(config.paths.state)).ledger.append_mail(a_mail("failed", at=NOW, reason="no room"))
    assert "(no room)" in seen(config)[0].sentence


def test_a_watch_that_missed_three_looks_is_said_and_one_that_never_looked(config: Config) -> None:
    looked(config, NOW - timedelta(minutes=45))
    assert seen(config) == []
    looked(config, NOW - timedelta(minutes=46))
    assert kinds(config) == ["watch_stale"]
    looked(config, NOW + timedelta(days=1))
    assert kinds(config) == ["clock_ahead"]
    path = watch_paths(config)[0]
    path.write_bytes(b"{")
    assert kinds(config) == ["state_unreadable"]
    path.unlink()
    assert "has never looked" in seen(config)[0].sentence


def test_the_newer_of_two_records_of_the_watch_counts(config: Config) -> None:
    state, lock = watch_paths(config)
    state.unlink()
    state.mkdir()
    looked(config, NOW - timedelta(minutes=5))
    assert lock.is_file()
    assert kinds(config) == []
    state.rmdir()
    looked(config, NOW)
    assert not lock.exists()


def test_a_state_directory_that_is_not_there_is_not_made(config: Config) -> None:
    watch_paths(config)[0].unlink()
    Path(config.paths.state).rmdir()
    looked(config, NOW)
    assert not Path(config.paths.state).exists()
    assert "looked_at" in str(read_watch(config))


def test_who_wants_no_mail_needs_no_watch(config: Config, tmp_path: Path) -> None:
    silent = parse_config(
        "schema: 1\nrepositories: {main: {path: /r, sources: [data]}}\nsources: {data: {path: /data}}\n"
        f"paths: {{state: {tmp_path}/none, lock: {tmp_path}/lock}}\nmail: {{when: never}}\n"
    )
    assert [each.kind for each in seen(silent)] == []
