"""How often each job is due, and what systemd says of its timer, in the form in which `systemctl show` says it."""

from datetime import UTC
from typing import Any

import pytest

from auditor.facts.builder import FactBuilder
from auditor.facts.host import collect_config
from auditor.facts.schedules import Show, collect_schedules, collect_timers
from bkp.config import parse_config
from bkp.config.model import Config
from bkp.errors import BkpError
from tests.support.audit_world import NOW

ARMED = {
    "UnitFileState": "enabled",
    "ActiveState": "active",
    "Unit": "borg-backup.service",
    "LoadState": "loaded",
    "TimersCalendar": "{ OnCalendar=*-*-* 02:30:00 ; next_elapse=Sun 2026-02-01 02:30:00 UTC }",
}


def config(jobs: str = "{}") -> Config:
    return parse_config(
        "schema: 1\nsources: {home: {path: /srv}}\nrepositories: {main: {path: /repo, sources: [home]}}\n"
        f"mail: {{when: never}}\njobs: {jobs}\n"
    )


@pytest.mark.parametrize(
    ("schedule", "days"),
    [
        ("02:30", 1.0),
        ("Sun 04:30", 7.0),
        ("monthly", 31.0),
        ("*-*-15 04:45", 31.0),
        ("Mon..Fri 02:30", 3.0),
        ("hourly", 1 / 24),
    ],
)
def test_the_longest_pause_of_a_schedule_is_told_in_days(schedule: str, days: float) -> None:
    builder = FactBuilder(NOW)
    collect_schedules(builder, config(f"{{nightly: {{schedule: '{schedule}'}}}}"), UTC)
    assert builder.facts["schedule.nightly.longest_pause"].value == pytest.approx(days)


def test_a_job_without_a_schedule_has_no_pause() -> None:
    builder = FactBuilder(NOW)
    collect_schedules(builder, config("{nightly: {schedule: null}}"), UTC)
    assert builder.facts["schedule.nightly.scheduled"].value is False
    assert builder.facts["schedule.nightly.longest_pause"].value is None


def test_a_job_that_is_run_by_hand_by_design_lacks_no_schedule() -> None:
    for jobs, unscheduled in (
        ("{}", ()),
        ("{nightly: {schedule: null}}", ("nightly",)),
        ("{scrub: {schedule: null}}", ()),  # no pool is configured
    ):
        builder = FactBuilder(NOW)
        collect_config(builder, config(jobs))
        assert builder.facts["config.unscheduled_jobs"].value == unscheduled


def test_a_job_that_has_nothing_to_work_on_has_no_timer_that_could_be_missed() -> None:
    builder = FactBuilder(NOW)
    collect_schedules(builder, config(), UTC)
    collect_timers(builder, config(), UTC, running=lambda: True, show=lambda _unit: ARMED)
    due = {name.split(".")[1] for name, fact in builder.facts.items() if name.endswith(".scheduled") and fact.value}
    armed = {name.split(".")[1] for name in builder.facts if name.endswith(".timer_active")}
    assert due == {"nightly", "check", "verify", "drill"} <= armed


def timer(
    said: dict[str, str] | None = None,
    *,
    running: bool = True,
    problem: str | None = None,
    service: dict[str, str] | None = None,
) -> dict[str, Any]:
    def show(unit: str) -> Show:
        if problem is not None:
            raise BkpError(problem)
        return service or {"LoadState": "loaded"} if unit.endswith(".service") else ARMED | (said or {})

    builder = FactBuilder(NOW)
    collect_timers(builder, config(), UTC, running=lambda: running, show=show)
    names = ("timer_enabled", "timer_active", "timer_as_configured", "timer_starts")
    return {name: builder.facts[f"schedule.nightly.{name}"] for name in names} | {
        "systemd": builder.facts["host.systemd"].value
    }


def values(found: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(found[name].value for name in ("timer_enabled", "timer_active", "timer_as_configured"))


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({}, (True, True, True)),
        ({"UnitFileState": "disabled"}, (False, True, True)),
        ({"UnitFileState": ""}, (False, True, True)),
        ({"ActiveState": "inactive"}, (True, False, True)),
        ({"TimersCalendar": "{ OnCalendar=*-*-* 03:30:00 ; next_elapse=(null) }"}, (True, True, False)),
        ({"TimersCalendar": "{ OnCalendar=Mon *-*-* 02:30:00 ; next_elapse=(null) }"}, (True, True, False)),
        ({"TimersCalendar": ""}, (True, True, False)),
        ({"TimersCalendar": ARMED["TimersCalendar"] * 2}, (True, True, False)),
    ],
)
def test_a_timer_is_told_as_systemd_has_it(said: dict[str, str], wanted: tuple[bool, bool, bool]) -> None:
    assert values(timer(said)) == wanted


@pytest.mark.parametrize(
    ("said", "service", "wanted"),
    [
        ({}, {"LoadState": "loaded"}, True),
        ({}, {"LoadState": "masked"}, False),
        ({}, {"LoadState": "not-found"}, False),
        ({"Unit": "true.service"}, {"LoadState": "loaded"}, False),
    ],
)
def test_a_timer_that_starts_nothing_of_the_job_is_told(
    said: dict[str, str], service: dict[str, str], *, wanted: bool
) -> None:
    assert timer(said, service=service)["timer_starts"].value is wanted


def test_what_systemd_does_not_answer_is_an_error_and_another_manager_is_none() -> None:
    assert {fact.error for name, fact in timer(problem="no answer").items() if name != "systemd"} == {"no answer"}
    other = timer(running=False)
    assert other["systemd"] is False
    assert values(other) == (None, None, None)
