"""Ninety nights on which all is well, and one on which nothing ran: real survey, concerns, watch, audit and outbox."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from auditor.cli.ending import keep_and_mail
from auditor.since import compare
from bkp.config import Config, parse_config
from bkp.liveness import this_process
from bkp.state.audits import KeptReports
from bkp.state.fields import Outcome
from bkp.state.records import Pause
from bkp.state.store import StateStore
from runner.watch.look import look
from tests.support.audit_world import report_on, rule
from tests.support.fake_msmtp import FakeMsmtp
from tests.support.records import GIB, a_night, a_repository, a_run, an_archive, roots

if TYPE_CHECKING:
    from collections.abc import Callable

    from bkp.state.records import Run

FIRST = datetime(2026, 11, 22, 2, 30, tzinfo=UTC)  # a Sunday
NIGHTS = 90


@pytest.fixture
def msmtp(tmp_path: Path) -> FakeMsmtp:
    return FakeMsmtp(tmp_path)


@pytest.fixture
def config(tmp_path: Path, msmtp: FakeMsmtp) -> Config:
    (tmp_path / "state").mkdir()
    return parse_config(
        "schema: 1\nhost: vault\nrepositories: {main: {path: /r, sources: [home]}}\n"
        "sources: {home: {path: /srv/home}}\n"
        f"paths: {{state: {tmp_path}/state, lock: {tmp_path}/lock}}\naudit: {{schedule: monthly}}\n"
        f"mail: {{to: root@example.com, msmtp: {msmtp.path}, timeout: 5s}}\nwatch: {{gather: 0s}}\n"
    )


def whole_night(start: datetime, outcome: Outcome = Outcome.SUCCESS, **changes: Any) -> Run:
    facts = a_repository(archives=7, newest_archive_at=start, free_bytes=500 * GIB, size_bytes=1000 * GIB)
    result = a_night(an_archive(start, roots=roots("home")), facts)
    return a_run(started=start, outcome=outcome, result=result, **changes)


def a_day(store: StateStore, start: datetime) -> None:
    """Record what a day's timers run: a night; on Saturdays a drill, on Sundays a check, on the 15th all data."""
    store.write_ended(whole_night(start))
    later = start + timedelta(hours=3)
    for job, due in (("drill", start.weekday() == 5), ("check", start.weekday() == 6), ("verify", start.day == 15)):
        if due:
            store.write_ended(a_run(job, later))


def watch(config: Config, at: datetime) -> list[str]:
    clock: Callable[[], datetime] = lambda: at  # noqa: E731
    seen = look(config, clock, UTC)
    assert seen.trouble is None
    return [each.known.sentence for each in seen.decision.changes]


def audit(config: Config, at: datetime) -> None:
    """Judge, keep and mail as the monthly unit does; everything that is judged is in order."""
    kept = KeptReports(Path(config.paths.state))
    report = report_on([rule(id="RUN-002"), rule(id="TST-001")], {"borg.repo.main.opens": True}, now=at)
    report = msgspec.structs.replace(report, host="vault")
    since = compare(report, kept.newest(), chain=kept.problem(), history_lines=90)
    keep_and_mail(msgspec.structs.replace(report, since=since), config, mail=True)


def test_ninety_clean_nights_give_three_mails_the_audits_and_the_one_that_does_not_run_gives_two(
    config: Config, msmtp: FakeMsmtp
) -> None:
    store = StateStore(Path(config.paths.state))
    for job in ("check", "verify", "drill"):
        store.write_ended(a_run(job, FIRST - timedelta(hours=1)))
    for number in range(NIGHTS):
        start = FIRST + timedelta(days=number)
        a_day(store, start)
        if start.day == 1:
            audit(config, start + timedelta(hours=3))
        for hours in (4, 10, 23):
            assert watch(config, start + timedelta(hours=hours)) == []
    dates = ("2026-12-01", "2027-01-01", "2027-02-01")
    assert msmtp.subjects() == [f"audit clean: vault, {date}" for date in dates]

    after = FIRST + timedelta(days=NIGHTS)
    assert watch(config, after + timedelta(hours=1)) == []
    (late,) = watch(config, after + timedelta(hours=3))
    assert late.startswith("nightly on main: ")
    a_day(store, after + timedelta(hours=6))
    assert watch(config, after + timedelta(hours=10)) == []
    assert watch(config, after + timedelta(hours=11)) == [late]
    new, over = msmtp.mails()[3:]
    assert new["Subject"].startswith("[bkp] CRITICAL on vault: nightly on main")
    assert over["Subject"].startswith("[bkp] over on vault: nightly on main")


def test_a_pause_of_a_late_job_and_a_night_after_one_with_warnings_are_no_recoveries(config: Config) -> None:
    store = StateStore(Path(config.paths.state))
    for job in ("check", "verify", "drill"):
        store.write_ended(a_run(job, FIRST - timedelta(hours=1)))
    a_day(store, FIRST)
    late = FIRST + timedelta(days=1, hours=5)
    (said,) = watch(config, late)
    end = late + timedelta(hours=12)
    store.write_pause(Pause(job="nightly", target="main", until=end, reason="new disk", paused_at=late, by="admin"))
    assert [watch(config, late + timedelta(hours=hours)) for hours in (1, 2, 10, 12, 13)] == [[]] * 5
    warned = whole_night(end + timedelta(hours=2), Outcome.WARNING, reason="a file changed")
    store.write_ended(warned)
    (warning,) = watch(config, end + timedelta(hours=3))
    assert "a file changed" in warning
    assert watch(config, end + timedelta(hours=4)) == [said]
    night = end + timedelta(hours=5)
    store.write_running(
        a_run(started=night, outcome=Outcome.RUNNING, before=warned.end, process=this_process()), durable=True
    )
    assert [watch(config, night + timedelta(minutes=minutes)) for minutes in (15, 60, 120)] == [[]] * 3


def test_an_old_archive_is_not_over_because_the_night_is_late_or_unknown_now(config: Config) -> None:
    store = StateStore(Path(config.paths.state))
    for job in ("check", "verify", "drill"):
        store.write_ended(a_run(job, FIRST - timedelta(hours=1)))
    facts = a_repository(archives=7, newest_archive_at=FIRST - timedelta(days=20))
    store.write_ended(a_run(started=FIRST, result=a_night(an_archive(FIRST, roots=roots("home")), facts)))
    (old,) = watch(config, FIRST + timedelta(hours=1))
    assert "its newest archive is 20d" in old
    success = store.job_dir("nightly", "main") / "success.json"
    content = success.read_bytes()
    success.unlink()
    (unknown,) = watch(config, FIRST + timedelta(hours=2))
    assert "last success" in unknown
    assert watch(config, FIRST + timedelta(hours=3)) == []
    success.write_bytes(content)
    late = FIRST + timedelta(days=1, hours=3)
    assert any(each.endswith("no run was made") for each in watch(config, late))
    assert [each for hours in (1, 2) for each in watch(config, late + timedelta(hours=hours))] == []
    a_day(store, late + timedelta(hours=3))
    assert watch(config, late + timedelta(hours=4)) == []
    assert any("its newest archive is" in each for each in watch(config, late + timedelta(hours=5)))
