"""Recorded facts and a clock make a status; nothing that is not known is ever ok."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkp.calendar import Schedule
from bkp.config.jobs import Job
from bkp.config.values import Duration
from bkp.state.fields import Outcome
from bkp.state.reading import Missing, Readable, Reading, Unreadable
from bkp.state.records import Run
from bkp.state.store import JobState
from bkp.status import JobStatus, Status, deadline, job_status
from tests.unit.core.support import START, a_run

BERLIN = ZoneInfo("Europe/Berlin")
JOB = Job(schedule=Schedule("02:30"), grace=Duration(hours=2))
BY_HAND = Job(schedule=None)
LATEST, SUCCESS = Path("jobs/nightly/main/latest.json"), Path("jobs/nightly/main/success.json")
ALIVE = [True, False, None]


def reading(value: Run | str | None, path: Path) -> Reading[Run]:
    if value is None:
        return Missing(path)
    return Unreadable(path, value) if isinstance(value, str) else Readable(value, path, START)


def judged(
    latest: Run | str | None,
    success: Run | str | None,
    *,
    now: datetime = START + timedelta(hours=8),
    job: Job = JOB,
    alive: bool | None = None,
    zone: Any = UTC,
    before: datetime | None = None,
) -> JobStatus:
    state = JobState("nightly", "main", reading(latest, LATEST), reading(success, SUCCESS), Missing(Path("pause.json")))
    return job_status(state, job, now, zone, alive=alive, before=before)


RUNNING = a_run(1, outcome=Outcome.RUNNING, ended_at=None)


def test_a_job_that_succeeded_since_its_last_elapse_is_ok() -> None:
    found = judged(a_run(), a_run())
    assert found.status is Status.OK
    assert found.explanation == "the last run ended in success"
    assert found.deadline == START + timedelta(days=1, hours=2)
    assert found.last_attempt_at == START
    assert found.last_success_at == START + timedelta(minutes=12)
    assert not found.warnings


def test_a_job_with_warnings_is_ok_and_says_so() -> None:
    run = a_run(outcome=Outcome.WARNING, reason="2 files could not be read")
    found = judged(run, run)
    assert (found.status, found.warnings) == (Status.OK, True)
    assert found.explanation == "2 files could not be read"


def test_the_warnings_of_the_run_before_are_not_those_of_a_run_under_way() -> None:
    warned = a_run(outcome=Outcome.WARNING)
    under_way = msgspec.structs.replace(RUNNING, before=warned.end)
    found = judged(under_way, warned, now=RUNNING.started_at + timedelta(hours=1), alive=True)
    assert (found.status, found.warnings) == (Status.RUNNING, False)


def test_a_job_is_ok_up_to_the_very_moment_of_its_deadline_and_late_after_it() -> None:
    due = START + timedelta(days=1, hours=2)
    assert judged(a_run(), a_run(), now=due).status is Status.OK
    found = judged(a_run(), a_run(), now=due + timedelta(microseconds=1))
    assert found.status is Status.LATE
    assert found.explanation == "its deadline has passed and no run was made"


def test_a_failed_run_is_failed_at_once_and_late_after_the_deadline() -> None:
    bad = a_run(1, outcome=Outcome.FAILURE, reason="no space left")
    found = judged(bad, a_run(), now=bad.started_at + timedelta(hours=1))
    assert (found.status, found.explanation) == (Status.FAILED, "no space left")
    assert found.last_attempt_at == bad.started_at
    assert found.last_success_at == a_run().ended_at
    found = judged(bad, a_run(), now=bad.started_at + timedelta(hours=3))
    assert (found.status, found.explanation) == (Status.LATE, "its deadline has passed; the last run: no space left")


@pytest.mark.parametrize("outcome", [Outcome.FAILURE, Outcome.INTERRUPTED, Outcome.SKIPPED])
def test_a_run_that_did_not_do_its_work_is_failed_also_without_any_success_or_reason(outcome: Outcome) -> None:
    found = judged(a_run(outcome=outcome), None)
    assert (found.status, found.explanation) == (Status.FAILED, f"the last run ended in {outcome}")
    assert found.deadline is None
    assert found.last_success_at is None


def test_a_job_without_any_record_never_ran() -> None:
    found = judged(None, None)
    assert (found.status, found.explanation) == (Status.NEVER, "no run is recorded")
    assert (found.deadline, found.last_attempt_at, found.last_success_at) == (None, None, None)


@pytest.mark.parametrize(("alive", "status"), [(True, Status.RUNNING), (False, Status.FAILED), (None, Status.UNKNOWN)])
@pytest.mark.parametrize("success", [a_run(), None])
def test_a_run_under_way_is_running_dead_or_unknown_by_its_process(
    alive: bool | None, status: Status, success: Run | None
) -> None:
    assert judged(RUNNING, success, now=RUNNING.started_at + timedelta(hours=1), alive=alive).status is status


@pytest.mark.parametrize(
    ("alive", "says"),
    [(True, "still under way"), (False, "died without an end"), (None, "whether it still lives is not known")],
)
def test_late_beats_running_and_says_what_is_known_of_the_run(alive: bool | None, says: str) -> None:
    found = judged(RUNNING, a_run(), now=RUNNING.started_at + timedelta(hours=3), alive=alive)
    assert found.status is Status.LATE
    assert says in found.explanation


@pytest.mark.parametrize("alive", ALIVE)
@pytest.mark.parametrize(
    ("latest", "success", "named"),
    [("is torn", a_run(), "latest.json"), (a_run(), "is torn", "success.json"), ("is torn", None, "latest.json")],
)
def test_an_unreadable_record_is_unknown_by_name_and_never_ok(
    latest: Run | str, success: Run | str | None, named: str, alive: bool | None
) -> None:
    found = judged(latest, success, alive=alive)
    assert (found.status, found.explanation) == (Status.UNKNOWN, f"{named} is torn")


def test_what_is_readable_of_an_unknown_job_is_still_told() -> None:
    found = judged("is torn", a_run())
    assert found.last_success_at == a_run().ended_at
    assert found.last_attempt_at is None


def test_a_record_of_the_last_attempt_that_is_gone_is_unknown() -> None:
    found = judged(None, a_run())
    assert (found.status, found.explanation) == (Status.UNKNOWN, "the record of the last attempt is gone")


def test_a_good_run_whose_success_is_gone_is_unknown() -> None:
    found = judged(a_run(), None)
    assert (found.status, found.explanation) == (Status.UNKNOWN, "the record of the last success is gone")


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize("alive", ALIVE)
def test_a_record_in_the_future_is_unknown_whatever_it_says(outcome: Outcome, alive: bool | None) -> None:
    ahead = a_run(3, outcome=outcome)
    assert judged(ahead, ahead, alive=alive).status is Status.UNKNOWN
    assert judged(a_run(), ahead, alive=alive).status is Status.UNKNOWN
    begun_before = a_run(outcome=outcome, ended_at=START + timedelta(days=3))
    assert judged(begun_before, begun_before, alive=alive).status is Status.UNKNOWN
    assert "clock was moved" in judged(ahead, ahead).explanation


@pytest.mark.parametrize("alive", ALIVE)
@pytest.mark.parametrize("outcome", list(Outcome))
def test_while_a_success_lies_in_the_future_the_one_before_it_sets_the_deadline(
    outcome: Outcome, alive: bool | None
) -> None:
    ahead, due = a_run(365), START + timedelta(days=1, hours=2)
    early, late = (judged(ahead, ahead, before=START, now=now) for now in (due, due + timedelta(seconds=1)))
    assert (early.status, early.deadline) == (Status.UNKNOWN, due)
    assert (late.status, late.deadline) == (Status.LATE, due)
    since = judged(a_run(1, outcome=outcome), ahead, before=START, now=START + timedelta(days=2), alive=alive)
    assert since.status is Status.LATE


def test_a_job_without_schedule_is_never_late() -> None:
    found = judged(a_run(), a_run(), job=BY_HAND, now=START + timedelta(days=4000))
    assert (found.status, found.deadline) == (Status.OK, None)
    assert judged(None, None, job=BY_HAND).status is Status.NEVER


@pytest.mark.parametrize("schedule", ["2020-01-01 02:30", "2026-11-23 02:30"])
def test_a_job_whose_schedule_elapses_no_more_is_unknown_and_never_ok(schedule: str) -> None:
    once = Job(schedule=Schedule(schedule))
    found = judged(a_run(), a_run(), job=once)
    assert (found.status, found.deadline) == (Status.UNKNOWN, None)
    assert found.explanation == f"its schedule {schedule} elapses no more: when it is due is not known"
    bad = a_run(outcome=Outcome.FAILURE, reason="no space left")
    assert judged(bad, a_run(), job=once).status is Status.FAILED


@pytest.mark.parametrize(
    ("success", "due"),
    [
        # CET is UTC+1, CEST UTC+2; the clocks change on 29 March and 25 October 2026.
        ("2026-03-27T01:30:00Z", "2026-03-28T03:30:00Z"),  # an ordinary night
        ("2026-03-28T01:30:00Z", "2026-03-30T02:30:00Z"),  # 02:30 does not come on the 29th: systemd skips it
        ("2026-10-24T00:30:00Z", "2026-10-25T02:30:00Z"),  # 02:30 comes twice: the first counts
        ("2026-10-25T00:30:00Z", "2026-10-26T03:30:00Z"),
    ],
)
def test_deadlines_follow_the_local_clock_over_daylight_saving(success: str, due: str) -> None:
    assert deadline(JOB, datetime.fromisoformat(success), BERLIN) == datetime.fromisoformat(due)


def test_a_night_that_the_clocks_skip_makes_nobody_late() -> None:
    before = datetime(2026, 3, 28, 1, 30, tzinfo=UTC)
    run = a_run(started_at=before, ended_at=before + timedelta(minutes=10))
    assert judged(run, run, now=datetime(2026, 3, 29, 12, tzinfo=UTC), zone=BERLIN).status is Status.OK


def test_the_deadline_counts_from_the_start_so_that_a_long_run_gains_no_day() -> None:
    run = a_run(ended_at=START + timedelta(hours=25))
    assert judged(run, run, now=START + timedelta(hours=26)).deadline == START + timedelta(days=1, hours=2)


TIMES = st.datetimes(timezones=st.just(UTC))
RUNS = st.builds(
    lambda outcome, started, ended: a_run(outcome=outcome, started_at=started, ended_at=ended),
    st.sampled_from(list(Outcome)),
    TIMES,
    st.none() | TIMES,
)


@given(
    latest=RUNS | st.none() | st.just("is torn"),
    success=RUNS | st.none() | st.just("is torn"),
    now=TIMES,
    alive=st.sampled_from(ALIVE),
    zone=st.sampled_from([UTC, BERLIN, ZoneInfo("Pacific/Kiritimati")]),
)
def test_whatever_is_recorded_there_is_a_status_and_only_the_known_is_ok(
    latest: Run | str | None, success: Run | str | None, now: datetime, alive: bool | None, zone: Any
) -> None:
    found = judged(latest, success, now=now, alive=alive, zone=zone)
    assert found.explanation
    if found.status is Status.OK:
        assert isinstance(latest, Run)
        assert isinstance(success, Run)
        assert latest.outcome in {Outcome.SUCCESS, Outcome.WARNING}
        assert max(latest.started_at, success.started_at) <= now
        assert found.deadline is not None
        assert now <= found.deadline
    if "is torn" in {str(latest), str(success)}:
        assert found.status is Status.UNKNOWN
