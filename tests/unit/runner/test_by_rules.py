"""What the rules give up, and when that is more than usual. That borg gives up the same: test_vanished.py."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bkp.config.repositories import Keep
from bkp.tools.borg.client import ArchiveListing
from runner.jobs.nightly.by_rules import given_up, too_many, usual_most

START = datetime(2026, 1, 1, 2, 30, tzinfo=UTC)
SHIPPED = Keep()


def archive(moment: datetime) -> ArchiveListing:
    return ArchiveListing(f"backup-{moment:%Y%m%dT%H%M%S}Z-00000000", f"{int(moment.timestamp()):064x}", moment)


def nightly(nights: int, begin: datetime = START) -> list[ArchiveListing]:
    return [archive(begin + timedelta(days=night)) for night in range(nights)]


def test_the_shipped_rules_keep_seven_days_four_weeks_and_six_months() -> None:
    nights = nightly(300)
    kept = [each for each in nights if each not in given_up(nights, SHIPPED, nights[-1].started_at)]
    days = [f"{each.started_at:%m-%d}" for each in kept]
    assert days[-7:] == ["10-21", "10-22", "10-23", "10-24", "10-25", "10-26", "10-27"]
    assert days[-12:-7] == ["09-27", "09-30", "10-04", "10-11", "10-18"]  # Sundays, and the end of a month
    assert days[:-12] == ["04-30", "05-31", "06-30", "07-31", "08-31"]


def test_a_rule_that_finds_too_few_periods_keeps_the_oldest() -> None:
    nights = nightly(10)
    assert nights[0] not in given_up(nights, Keep(daily=2, weekly=0, monthly=3), nights[-1].started_at)


def test_a_span_is_counted_from_now() -> None:
    nights, rules = nightly(10), Keep(daily=0, weekly=0, monthly=0, last=1, within="3d")
    assert given_up(nights, rules, nights[-1].started_at) == nights[:6]  # 3 nights of the span, and one more
    assert given_up(nights, rules, nights[-1].started_at + timedelta(days=365)) == nights[:9]


@settings(max_examples=12, deadline=None)
@given(
    daily=st.integers(0, 9),
    weekly=st.integers(0, 5),
    monthly=st.integers(0, 7),
    yearly=st.integers(0, 2),
    last=st.integers(0, 5),
    within=st.sampled_from([None, "5d", "3w", "2m"]),
    begin=st.integers(0, 400),
    jitter=st.lists(st.integers(0, 7200), min_size=120, max_size=120),
)
def test_an_ordinary_year_of_nights_never_stops_a_prune(
    *, daily: int, weekly: int, monthly: int, yearly: int, last: int, within: str | None, begin: int, jitter: list[int]
) -> None:
    if not (within or any((daily, weekly, monthly, yearly, last))):
        return
    keep = Keep(daily=daily, weekly=weekly, monthly=monthly, yearly=yearly, last=last, within=within)
    there: list[ArchiveListing] = []
    left: list[str] | None = None
    for night, late in enumerate(jitter):
        there.append(archive(START + timedelta(days=begin + night, seconds=late)))
        doomed = given_up(there, keep, there[-1].started_at + timedelta(minutes=10))
        assert too_many(doomed, there, keep, left, "main") is None
        there = [each for each in there if each not in doomed]
        left = [each.name for each in there]


@pytest.mark.parametrize("shorter", [Keep(last=3, daily=0, weekly=0, monthly=0), Keep(weekly=0, monthly=0, daily=1)])
def test_after_a_change_of_the_rules_the_prune_stops_and_says_what_would_go(shorter: Keep) -> None:
    there = nightly(20)
    left = [each.name for each in there[:-1]]
    doomed = given_up(there, shorter, there[-1].started_at)
    held = too_many(doomed, there, shorter, left, "main")
    assert held is not None
    assert f"would remove {len(doomed)} of 20 archives, where 4 at most are usual: {there[0].name}" in held.reason
    assert "bkp-run prune --target main --accept-removal" in held.remedy


def test_a_clock_far_ahead_does_not_empty_a_span() -> None:
    there, rules = nightly(30), Keep(daily=1, weekly=0, monthly=0, within="30d")
    left = [each.name for each in there]
    there.append(archive(START + timedelta(days=4000)))
    assert too_many(given_up(there, rules, there[-1].started_at), there, rules, left, "main") is not None


def test_a_change_of_the_rules_stays_held_however_many_nights_come() -> None:
    before = Keep(daily=7, weekly=4, monthly=30, yearly=5)
    there: list[ArchiveListing] = []
    for night in range(900):
        there.append(archive(START + timedelta(days=night)))
        gone = given_up(there, before, there[-1].started_at)
        there = [each for each in there if each not in gone]
    left = [each.name for each in there]
    after = Keep(within="30d", daily=7, weekly=4, monthly=6)
    for night in range(900, 960):
        there.append(archive(START + timedelta(days=night)))
        doomed = given_up(there, after, there[-1].started_at)
        assert too_many(doomed, there, after, left, "main") is not None


def test_archives_under_another_prefix_than_before_have_not_come_since_the_last_prune() -> None:
    there, rules = nightly(40), Keep(daily=7, weekly=4, monthly=6)
    doomed = given_up(there, rules, START)
    assert too_many(doomed, there, rules, ["backup-1", "backup-2"], "main") is not None
    assert too_many(doomed, there, rules, [each.name for each in there[-2:]], "main") is not None


def test_nights_that_pruned_nothing_are_made_up_for_at_once() -> None:
    there, rules = nightly(40), Keep(daily=7, weekly=0, monthly=0)
    assert usual_most(there, rules, [each.name for each in there[:7]]) == 33 + 1 + 2
    assert too_many(given_up(there, rules, START), there, rules, [each.name for each in there[:7]], "main") is None
    assert too_many(given_up(there, rules, START), there, rules, None, "main") is not None
