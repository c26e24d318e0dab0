"""Schedules of jobs: what a job keeps of its own, and which are refused because nothing would ever run."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bkp.config import load_config, parse_config
from bkp.errors import ConfigError
from tests.unit.core.config_support import BASE, MAIL, accepted


def test_a_job_may_change_its_schedule_and_keep_its_own_grace() -> None:
    config = accepted(BASE + "jobs: {check: {schedule: Mon 04:30}, verify: {grace: 30h}}\n")
    default = accepted(BASE)
    assert str(config.jobs.check.schedule) == "Mon 04:30"
    assert config.jobs.check.grace == default.jobs.check.grace
    assert config.jobs.verify.schedule == default.jobs.verify.schedule
    assert config.job("nightly") == default.job("nightly")


def test_a_job_without_schedule_is_run_by_hand() -> None:
    assert accepted(BASE + "jobs: {drill: {schedule: null}}\n").jobs.drill.schedule is None


NOW = datetime(2026, 11, 23, 12, 0, tzinfo=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize("section", ["jobs: {{nightly: {{schedule: {}}}}}\n", "audit: {{schedule: {}}}\n"])
@pytest.mark.parametrize("schedule", ["2020-01-01 02:30", "2026-11-23 11:59", "Mon 2024..2025-1-1 02:30 UTC"])
def test_a_schedule_that_elapses_no_more_is_refused_with_its_place(section: str, schedule: str) -> None:
    text = BASE + section.format(schedule) + MAIL
    with pytest.raises(ConfigError, match=f"'{schedule}' lies in the past and never elapses again") as caught:
        parse_config(text, now=NOW)
    assert (caught.value.line, caught.value.column) == (6, text.splitlines()[5].index(schedule) + 1)
    assert caught.value.remedy
    parse_config(text)  # without a clock nothing is judged


def test_a_schedule_that_elapses_once_more_is_taken() -> None:
    parse_config(BASE + MAIL + "jobs: {nightly: {schedule: 2026-11-23 12:01}}\n", now=NOW)


def test_a_clock_that_is_not_set_yet_keeps_no_program_from_starting() -> None:
    parse_config(BASE + MAIL, now=datetime(1970, 1, 1, 0, 1, tzinfo=UTC))


def test_schedules_of_a_file_are_judged_by_the_hosts_clock_and_only_for_who_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "config.yml"
    path.write_text(BASE + "jobs: {drill: {schedule: 2020-01-01 02:30}}\n" + MAIL)
    with pytest.raises(ConfigError, match=r"config.yml:6:26: jobs.drill.schedule: '2020-01-01 02:30' lies in the past"):
        load_config(path, schedules=True)
    load_config(
        path
    )  # whatever is over, a restore is not refused, nor the job that its timer started for the last time
