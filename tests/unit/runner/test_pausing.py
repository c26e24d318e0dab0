"""When a pause ends: what people write, and what is refused."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from bkp.config import parse_config
from bkp.errors import GoesOnError, UsageError
from bkp.jobs import SCRUB
from bkp.state.fields import Outcome
from bkp.state.records import Pause
from bkp.state.store import StateStore, value_of
from runner import following
from runner.cli import cli
from runner.commands.pausing import end_of
from runner.jobs.model import RunnerJob
from runner.jobs.scrub import job as scrub
from runner.lifecycle.context import Options
from runner.lifecycle.job import run_job
from runner.lifecycle.log import Log
from runner.lifecycle.scope import new_scope
from runner.lifecycle.signals import ending_signals_raise
from runner.progress import NoProgress
from tests.support.records import a_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bkp.config import Config
    from bkp.state.records import Run
    from runner.lifecycle.context import RunContext

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)  # 10:00 in Berlin
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("6h", NOW + timedelta(hours=6)),
        ("1d 12h", NOW + timedelta(hours=36)),
        ("2026-11-23T18:00", datetime(2026, 11, 23, 17, 0, tzinfo=UTC)),
        ("2026-11-23 18:00", datetime(2026, 11, 23, 17, 0, tzinfo=UTC)),
        ("2026-11-25", datetime(2026, 11, 24, 23, 0, tzinfo=UTC)),
        ("2026-11-23T18:00+00:00", datetime(2026, 11, 23, 18, 0, tzinfo=UTC)),
    ],
)
def test_the_end_is_a_local_time_or_a_duration(text: str, end: datetime) -> None:
    assert end_of(text, NOW, BERLIN) == end


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("tomorrow", "is no time"),
        ("", "is no time"),
        ("2026-11-23T10:00", "is over already"),
        ("0s", "is over already"),
        ("32d", "more than 31 days away"),
        ("9999-12-31", "more than 31 days away"),
    ],
)
def test_a_time_that_is_none_or_over_or_too_far_is_refused(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        end_of(text, NOW, BERLIN)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Two repositories."""
    path = tmp_path / "config.yml"
    path.write_text(
        f"schema: 1\npaths: {{state: {tmp_path}/state}}\nsources: {{data: {{path: /srv}}}}\nmail: {{when: never}}\n"
        "repositories: {main: {path: /r, sources: [data]}, other: {path: /o, sources: [data]}}\n"
    )
    return path


def answer(config: Path, *arguments: str) -> str:
    done = CliRunner().invoke(cli, ["--config", str(config), *arguments], standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.output


def test_a_pause_is_set_shown_and_ended_for_one_target_or_all(config: Path) -> None:
    set_it = ["pause", "check", "--until", "6h", "--reason", "new  disk"]
    assert answer(config, *set_it, "--dry-run").count("would be paused until") == 2
    assert answer(config, "pause") == "no job is paused\n"
    assert answer(config, *set_it).count("(6h in all): new disk") == 2
    assert answer(config, "pause").count("is paused until") == 2
    assert answer(config, "resume", "check", "-t", "main") == "check on main is no longer paused\n"
    assert answer(config, "pause").startswith("check on other is paused until")
    assert '"target":"other"' in answer(config, "pause", "--json")


@pytest.mark.parametrize(
    "arguments",
    [
        ["pause", "check"],
        ["pause", "check", "--until", "6h"],
        ["pause", "check", "--until", "6h", "--reason", " "],
        ["pause", "check", "--until", "6h", "--reason", "x" * 201],
        ["pause", "--until", "6h"],
        ["pause", "check", "-t", "third", "--until", "6h", "--reason", "x"],
        ["resume", "check"],
    ],
)
def test_what_cannot_be_meant_is_refused_and_changes_nothing(config: Path, arguments: list[str]) -> None:
    with pytest.raises(UsageError):
        answer(config, *arguments)
    assert not (config.parent / "state").exists()


def test_a_file_that_cannot_be_read_is_removed_by_resume(config: Path) -> None:
    answer(config, "pause", "check", "--until", "6h", "--reason", "x")
    path = config.parent / "state/jobs/check/main/pause.json"
    path.write_text("{")
    assert answer(config, "resume", "check", "-t", "main") == "check on main is no longer paused\n"
    assert not path.exists()


# ---------------------------------------------------------------- work that goes on without a process


@pytest.fixture
def scrubs(tmp_path: Path) -> tuple[Config, StateStore]:
    """One pool, whose scrub is paused."""
    settings = parse_config(
        f"schema: 1\npaths: {{state: {tmp_path}/state, log: {tmp_path}/log, lock: {tmp_path}/lock}}\n"
        "sources: {data: {path: /srv}}\nrepositories: {main: {path: /r, sources: [data]}}\nmail: {when: never}\n"
        "pools: {tank: {}}\n"
    )
    store = StateStore(tmp_path / "state")
    day = timedelta(days=1)
    store.write_pause(
        Pause(job="scrub", target="tank", until=NOW + day, reason="new disk", paused_at=NOW - day, by="admin")
    )
    return settings, store


def scrub_record(outcome: Outcome, **changes: Any) -> Run:
    return a_run("scrub", NOW, outcome, target="tank", versions={"bkp": "1"}, **changes)


def run_by_timer(settings: Config, work: Callable[[RunContext], None]) -> Run:
    with ending_signals_raise() as signals:
        job = RunnerJob(SCRUB, lambda context: context, work, scrub.JOB.dry_run, scrub.JOB.rights)
        options = Options(lock_wait=0, progress=NoProgress(), by_timer=True)
        log = Log(lambda: NOW, stream=io.StringIO())
        return run_job(
            new_scope(
                *(job, "tank", settings),
                options=options,
                log=log,
                clock=lambda: NOW,
                mail=lambda _: None,
                signals=signals,
            )
        )


def test_the_timer_of_a_paused_job_begins_nothing(scrubs: tuple[Config, StateStore]) -> None:
    settings, store = scrubs

    def begins(_context: RunContext) -> None:
        pytest.fail("it began")

    run = run_by_timer(settings, begins)
    assert (run.outcome, "admin paused it until" in str(run.reason)) == (Outcome.DEFERRED, True)
    assert value_of(store.read_job("scrub", "tank").latest) == run


def test_a_pause_does_not_make_the_record_forget_a_scrub_that_goes_on(scrubs: tuple[Config, StateStore]) -> None:
    settings, store = scrubs
    begun = scrub_record(Outcome.RUNNING, run_id="begun", outlives_process=True)
    store.write_running(begun, durable=True)

    def goes_on(_context: RunContext) -> None:
        raise GoesOnError("it goes on")

    run = run_by_timer(settings, goes_on)
    assert (run.run_id, run.outcome) == ("begun", Outcome.RUNNING)
    latest = value_of(store.read_job("scrub", "tank").latest)
    assert latest is not None
    assert (latest.run_id, latest.outcome) == ("begun", Outcome.RUNNING)
    assert store.ledger.runs() == []


def test_follow_begins_nothing_that_is_paused_and_looks_after_what_goes_on(
    scrubs: tuple[Config, StateStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, store = scrubs
    nothing_in_the_way = replace(scrub.JOB, hindrance=lambda _config, _target: None)
    monkeypatch.setattr(following, "outliving", lambda: (nothing_in_the_way,))

    def followed(now: datetime = NOW) -> list[str]:
        return [each.why for each in following.to_follow(settings, store, lambda: now, UTC, lambda _: False)]

    store.write_ended(scrub_record(Outcome.DEFERRED, reason="admin paused it", ended_at=NOW))
    assert followed() == []
    assert followed(NOW + timedelta(days=1)) == ["it was deferred (admin paused it), and can begin now"]
    store.write_running(scrub_record(Outcome.RUNNING, outlives_process=True), durable=True)
    assert followed() == ["it goes on without a process"]
