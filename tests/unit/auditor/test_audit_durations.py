"""ISO 8601 durations, in which a month is a month and never a minute."""

import contextlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.durations import parse_iso_duration

MARCH_31 = datetime(2026, 3, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "before", "words"),
    [
        ("P1D", "2026-03-30T12:00:00+00:00", "1 day"),
        ("PT26H", "2026-03-30T10:00:00+00:00", "1 day 2 hours"),
        ("P1M", "2026-02-28T12:00:00+00:00", "1 month"),
        ("PT1M", "2026-03-31T11:59:00+00:00", "1 minute"),
        ("P1Y", "2025-03-31T12:00:00+00:00", "1 year"),
        ("P13M", "2025-02-28T12:00:00+00:00", "1 year 1 month"),
        ("P2W", "2026-03-17T12:00:00+00:00", "14 days"),
        ("P1Y2M3DT4H5M6S", "2025-01-28T07:54:54+00:00", "1 year 2 months 3 days 4 hours 5 minutes 6 seconds"),
    ],
)
def test_a_duration_lies_before_a_moment(text: str, before: str, words: str) -> None:
    duration = parse_iso_duration(text)
    assert duration.before(MARCH_31).isoformat() == before
    assert str(duration) == words


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "1d", "P1", "P1H", "PT1D", "p1d", "P-1D", "P1.5D", "P1D ", "P101Y", "P0D", 5]
)
def test_anything_else_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"ISO 8601|over 100 years|of nothing"):
        parse_iso_duration(text)


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    with contextlib.suppress(ValueError):
        parse_iso_duration(text).before(MARCH_31)


@given(
    st.from_regex(r"P[0-9]{1,2}Y[1-9][0-9]{0,3}D", fullmatch=True),
    st.datetimes(timezones=st.timezones() | st.just(timezone(timedelta(hours=-14)))),
)
def test_no_date_of_the_calendar_is_too_early_or_too_late_for_a_duration(text: str, moment: datetime) -> None:
    duration = parse_iso_duration(text)
    assert duration.before(moment) <= moment <= duration.after(moment)


def test_going_forward_beyond_the_last_year_ends_at_the_end_of_time() -> None:
    for text in ("P1M", "P1D", "P100Y"):
        assert parse_iso_duration(text).after(datetime(9999, 12, 31, 12, tzinfo=UTC)) == datetime.max.replace(
            tzinfo=UTC
        )


def test_going_back_beyond_the_first_year_ends_at_the_beginning_of_time() -> None:
    assert parse_iso_duration("P100Y").before(datetime(50, 1, 1, tzinfo=UTC)).year == 1
