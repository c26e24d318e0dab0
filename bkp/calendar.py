"""systemd calendar expressions: what the configuration calls a schedule, and when it elapses next.

Covers what systemd.time(7) calls calendar events, without `~` (days from the month's end), sub-second parts and year
lists beyond plain years: weekdays, dates, times, lists (`,`), ranges (`..`), repetitions (`/`), the shorthands
(`daily`, `weekly`, …) and a trailing time zone (`UTC`, `Europe/Berlin`). Like systemd, a local time that a
daylight-saving change leaves out is skipped, and one that comes twice elapses the first time.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

EARLIEST_YEAR, LATEST_YEAR = 1970, 2199  # a time outside of them comes from a damaged record, or a clock not set
SCHEDULE_FORM = "a systemd calendar expression such as 02:30, Sun 04:30, *-*-15 04:45 or weekly"

_SHORTHANDS = {
    "minutely": "*-*-* *:*:00",
    "hourly": "*-*-* *:00:00",
    "daily": "*-*-* 00:00:00",
    "weekly": "Mon *-*-* 00:00:00",
    "monthly": "*-*-01 00:00:00",
    "quarterly": "*-01,04,07,10-01 00:00:00",
    "semiannually": "*-01,07-01 00:00:00",
    "yearly": "*-01-01 00:00:00",
    "annually": "*-01-01 00:00:00",
}
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LONG_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SEARCH_DAYS = 366 * 41  # a 29 February on a given weekday may be 40 years away, around the year 2100
_LONGEST_MONTH = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
_LARGEST_CHANGE = timedelta(hours=3)  # no zone moved its clocks further within a day than that


class _Span(NamedTuple):
    low: int
    high: int


_YEAR, _MONTH, _DAY = _Span(EARLIEST_YEAR, LATEST_YEAR), _Span(1, 12), _Span(1, 31)
_HOUR, _MINUTE = _Span(0, 23), _Span(0, 59)


class Schedule:
    """A parsed calendar expression.

    `text` is what was written, with one space between words, and what goes into the timer's OnCalendar=.
    Raises ValueError, naming the accepted forms, where the text is not one.
    """

    __slots__ = ("_parts", "text")

    def __init__(self, text: str) -> None:
        self._parts = _parse(text)
        self.text = " ".join(text.split())  # systemd takes no other white space

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Schedule({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schedule) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def next_after(self, moment: datetime, zone: tzinfo) -> datetime | None:
        """Return the first elapse strictly after `moment`, in UTC; None if there is none within 40 years.

        `zone` is the host's local zone; a zone in the expression itself wins.
        """
        parts = self._parts
        zone = parts.zone or zone
        if not EARLIEST_YEAR < moment.year < LATEST_YEAR:
            return None
        if moment.year > max(parts.years) + 1:
            return None
        local = moment.astimezone(zone)
        earliest = local.replace(tzinfo=None) - _LARGEST_CHANGE
        for offset in range(_SEARCH_DAYS):
            day = earliest.date() + timedelta(days=offset)
            if not parts.matches(day):
                continue
            for clock in parts.times(0 if offset else earliest.hour):
                elapse = _to_utc(datetime.combine(day, clock), zone, local.fold)
                if elapse is not None and elapse > moment:
                    return elapse
        return None

    def skipped_day(self, moment: datetime, zone: tzinfo) -> date | None:
        """Return the first day of the next 366 on which it does not elapse, as the clocks skip its time; or None."""
        zone = self._parts.zone or zone
        first = moment.astimezone(zone).date()
        for day in (first + timedelta(days=offset) for offset in range(366)):
            noon, noon_before = (datetime.combine(each, time(12), zone) for each in (day, day - timedelta(days=1)))
            if noon.utcoffset() == noon_before.utcoffset() or not self._parts.matches(day):
                continue
            if all(_to_utc(datetime.combine(day, clock), zone, 0) is None for clock in self._parts.times(0)):
                return day
        return None


def _to_utc(wanted: datetime, zone: tzinfo, fold: int) -> datetime | None:
    """Return the local time in UTC; None if the clocks skip it. Of a repeated hour `fold` says which, 0 or 1."""
    elapse = wanted.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    exists = elapse.astimezone(zone).replace(tzinfo=None) == wanted
    return elapse if exists else None


@dataclass(frozen=True)
class _Parts:
    weekdays: frozenset[int]
    years: frozenset[int]
    months: frozenset[int]
    days: frozenset[int]
    hours: tuple[int, ...]
    minutes: tuple[int, ...]
    seconds: tuple[int, ...]
    zone: tzinfo | None

    def matches(self, day: date) -> bool:
        return (
            day.weekday() in self.weekdays
            and day.month in self.months
            and day.day in self.days
            and day.year in self.years
        )

    def times(self, from_hour: int) -> Iterator[time]:
        for hour in self.hours[bisect_left(self.hours, from_hour) :]:
            for minute in self.minutes:
                for second in self.seconds:
                    yield time(hour, minute, second)


def _parse(text: str) -> _Parts:
    words = text.split()
    if not words or len(text) > 200:
        raise ValueError(f"wanted {SCHEDULE_FORM}")
    zone = _zone(words[-1]) if len(words) > 1 else None
    if zone is not None:
        words = words[:-1]
    if len(words) == 1 and words[0].lower() in _SHORTHANDS:
        words = _SHORTHANDS[words[0].lower()].split()
    weekdays, date_text, time_text = "", "*-*-*", "00:00:00"
    if words and words[0][0].isalpha():
        weekdays = words.pop(0)
    if words and "-" in words[0]:
        date_text = words.pop(0)
    if words and ":" in words[0]:
        time_text = words.pop(0)
    if words:
        raise ValueError(f"{words[0]!r} is not understood; wanted {SCHEDULE_FORM}")
    years, months, days = map(frozenset, _components("date", date_text, "-", (_YEAR, _MONTH, _DAY)))
    if not any(day <= _LONGEST_MONTH.get(month, 31) for month in months for day in days):
        raise ValueError(f"no month has the day of {date_text!r}: it would never elapse")
    hours, minutes, seconds = _components("time", time_text, ":", (_HOUR, _MINUTE, _MINUTE))
    return _Parts(_weekdays(weekdays), years, months, days, hours, minutes, seconds, zone)


def _zone(word: str) -> tzinfo | None:
    if word.upper() == "UTC":
        return UTC
    # Not `CET`: where the host's own zone bears that name for half of the year, systemd skips the other half.
    if not re.fullmatch(r"[A-Z][A-Za-z_+-]+(?:/[A-Za-z0-9_+-]+)+", word):
        return None
    try:
        return ZoneInfo(word)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"time zone {word!r} is not known") from None


def _weekdays(text: str) -> frozenset[int]:
    if not text:
        return frozenset(range(7))
    found: set[int] = set()
    for item in text.lower().removesuffix(",").split(","):
        first, dots, last = item.partition("..")
        low, high = _weekday(first), _weekday(last if dots else first)
        if low > high:
            raise ValueError(f"weekday range {item!r} runs backwards")
        found.update(range(low, high + 1))
    return frozenset(found)


def _weekday(name: str) -> int:
    for names in (_WEEKDAYS, _LONG_WEEKDAYS):
        if name in names:
            return names.index(name)
    raise ValueError(f"{name!r} is no weekday; wanted {SCHEDULE_FORM}")


def _components(what: str, text: str, separator: str, spans: tuple[_Span, ...]) -> list[tuple[int, ...]]:
    """Return the values of each part of a date or time. Two parts lack the year, or the seconds."""
    parts = text.split(separator)
    if len(parts) == 2:
        parts = ["*", *parts] if what == "date" else [*parts, "00"]
    if len(parts) != len(spans):
        raise ValueError(f"{what} {text!r} is not understood; wanted {SCHEDULE_FORM}")
    return [_values(part, span) for part, span in zip(parts, spans, strict=True)]


def _values(text: str, span: _Span) -> tuple[int, ...]:
    """Return the sorted values of one component: `*`, `5`, `1,15`, `1..5`, `0/15`, `9..17/2`."""
    if text == "*":
        return tuple(range(span.low, span.high + 1))
    found: set[int] = set()
    for item in text.split(","):
        if item.startswith("*"):  # systemd refuses the unit file
            raise ValueError(f"{text!r} is not understood: '*' stands alone; repeat from a start, as in 0/2")
        match = re.fullmatch(r"(\d{1,4})(?:\.\.(\d{1,4}))?(?:/(\d{1,4}))?", item, re.ASCII)
        if match is None:
            raise ValueError(f"{item!r} is not understood; wanted {SCHEDULE_FORM}")
        low_text, high_text, step_text = match.groups()
        low = int(low_text)
        high = int(high_text) if high_text else span.high if step_text else low
        step = int(step_text) if step_text else 1
        if not span.low <= low <= high <= span.high or step == 0:
            raise ValueError(f"{item!r} is outside {span.low}..{span.high}")
        if step_text and low + step > high:
            raise ValueError(f"{item!r} repeats nothing: {low} + {step} is beyond {high}")
        found.update(range(low, high + 1, step))
    return tuple(sorted(found))
