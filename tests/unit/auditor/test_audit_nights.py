"""Which scheduled backups left no archive."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from auditor.facts.nights import nights_missing, periods_held
from bkp.calendar import Schedule

GRACE = timedelta(hours=2)
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def nights(*days: int) -> list[datetime]:
    return [datetime(2026, 11, day, 2, 31, tzinfo=UTC) for day in days]


@pytest.mark.parametrize(
    ("days", "missing"),
    [
        ([*range(10, 24)], []),
        ([*range(10, 20), 22, 23], ["2026-11-20 02:30 UTC", "2026-11-21 02:30 UTC"]),
        ([20, 21, 22, 23], []),
        ([21, 23], ["2026-11-22 02:30 UTC"]),
        ([10], [f"2026-11-{day} 02:30 UTC" for day in range(17, 23)]),
        ([], []),
    ],
)
def test_a_gap_is_named_by_the_time_that_was_missed(days: list[int], missing: list[str]) -> None:
    assert list(nights_missing(nights(*days), Schedule("02:30"), GRACE, 7, NOW, UTC)) == missing


def test_the_last_night_counts_only_once_its_day_is_over() -> None:
    starts = nights(*range(10, 23))
    assert nights_missing(starts, Schedule("02:30"), GRACE, 7, NOW, UTC) == ()
    tomorrow = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)
    assert nights_missing(starts, Schedule("02:30"), GRACE, 7, tomorrow, UTC) == ("2026-11-23 02:30 UTC",)


def test_a_weekly_schedule_is_held_to_one_archive_a_week() -> None:
    weekly = Schedule("Sun 02:30")
    assert nights_missing(nights(1, 8, 15, 22), weekly, GRACE, 28, NOW, UTC) == ()
    assert nights_missing(nights(1, 8, 22), weekly, GRACE, 28, NOW, UTC) == ("2026-11-15 02:30 UTC",)


def test_an_hourly_schedule_is_held_to_one_archive_a_day() -> None:
    assert nights_missing(nights(*range(15, 24)), Schedule("hourly"), GRACE, 7, NOW, UTC) == ()


def test_the_schedule_is_read_in_the_zone_of_the_host() -> None:
    tokyo = ZoneInfo("Asia/Tokyo")
    starts = [datetime(2026, 11, day, 17, 31, tzinfo=UTC) for day in range(10, 23)]
    assert nights_missing(starts, Schedule("02:30"), GRACE, 7, NOW, tokyo) == ()
    assert nights_missing(starts[:-3] + starts[-2:], Schedule("02:30"), GRACE, 7, NOW, tokyo) == (
        "2026-11-20 17:30 UTC",
    )


def test_without_a_schedule_nothing_can_be_missed() -> None:
    assert nights_missing(nights(1), None, GRACE, 7, NOW, UTC) == ()


def test_keeping_days_without_end_is_no_overflow_and_asks_of_the_last_400() -> None:
    assert nights_missing(nights(*range(10, 24)), Schedule("02:30"), GRACE, 10**12, NOW, UTC) == ()
    long_ago = [datetime(2020, 1, 1, tzinfo=UTC)]
    assert len(nights_missing(long_ago, Schedule("02:30"), GRACE, 10**6, NOW, UTC)) == 399


def kept(daily: int, weekly: int, monthly: int) -> list[datetime]:
    """Return what so many days, weeks and months leave of a night each."""
    days = {datetime(2026, 11, 23, 2, 31, tzinfo=UTC) - timedelta(days=each) for each in range(daily)}
    weeks = {datetime(2026, 11, 22, 2, 31, tzinfo=UTC) - timedelta(weeks=each) for each in range(weekly)}
    return sorted(days | weeks | {datetime(2026, 11 - each, 1, 2, 31, tzinfo=UTC) for each in range(monthly)})


def test_the_archives_of_the_months_are_no_days_and_no_weeks() -> None:
    whole = periods_held(kept(7, 4, 6), UTC)
    assert (whole["days"] >= 7, whole["weeks"] >= 4, whole["months"]) == (True, True, 6)
    assert periods_held(kept(1, 4, 6), UTC)["days"] < 7
    assert periods_held(kept(2, 0, 10), UTC)["weeks"] < 4
    assert periods_held([], UTC) == {"days": 0, "weeks": 0, "months": 0}


def test_days_are_local_ones() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    starts = [datetime(2026, 10, 24, 22, 30, tzinfo=UTC), datetime(2026, 10, 25, 21, 30, tzinfo=UTC)]
    assert (periods_held(starts, UTC)["days"], periods_held(starts, berlin)["days"]) == (2, 1)
