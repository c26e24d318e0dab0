"""ISO 8601 durations as rules write them: `P1D`, `PT26H`, `P1M`, `P1Y`. A month is a calendar month, not 30 days."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta

ISO_DURATION_FORM = "an ISO 8601 duration such as P1D, PT26H, P35D, P1M or P1Y (a minute is PT1M, a month P1M)"

_FORM = re.compile(
    r"P(?=.)(?:(\d{1,3})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?"
    r"(?:T(?=.)(?:(\d{1,6})H)?(?:(\d{1,7})M)?(?:(\d{1,9})S)?)?",
    re.ASCII,
)
_MAX_YEARS = 100


@dataclass(frozen=True, slots=True)
class IsoDuration:
    """A span of calendar months plus a fixed span; `text` is what was written."""

    text: str
    months: int
    fixed: timedelta

    def before(self, moment: datetime) -> datetime:
        """Return the moment that lies this span before `moment`; a day that the month lacks becomes its last.

        Dates of evidence may be anything: beyond the calendar's ends the result is that end.
        """
        return shifted(_add_months(moment, -self.months), -self.fixed)

    def after(self, moment: datetime) -> datetime:
        """Return the moment that lies this span after `moment`, or the calendar's end."""
        return shifted(_add_months(moment, self.months), self.fixed)

    def __str__(self) -> str:
        years, months = divmod(self.months, 12)
        days, seconds = divmod(int(self.fixed.total_seconds()), 86400)
        hours, rest = divmod(seconds, 3600)
        minutes, seconds = divmod(rest, 60)
        units = ("year", "month", "day", "hour", "minute", "second")
        named = zip((years, months, days, hours, minutes, seconds), units, strict=True)
        parts = [f"{count} {unit}{'' if count == 1 else 's'}" for count, unit in named if count]
        return " ".join(parts) or "0 seconds"


def parse_iso_duration(text: object) -> IsoDuration:
    """Return the duration in `text`; raise ValueError naming the form unless it is one, above zero, up to 100 years."""
    match = _FORM.fullmatch(text) if isinstance(text, str) and len(text) <= 40 else None
    if match is None:
        raise ValueError(f"wanted {ISO_DURATION_FORM}")
    years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    fixed = timedelta(days=days + 7 * weeks, hours=hours, minutes=minutes, seconds=seconds)
    total_months = years * 12 + months
    if total_months > _MAX_YEARS * 12 or fixed > timedelta(days=366 * _MAX_YEARS):
        raise ValueError("a duration over 100 years")
    if not total_months and not fixed:
        raise ValueError("a duration of nothing")
    return IsoDuration(str(text), total_months, fixed)


def _add_months(moment: datetime, count: int) -> datetime:
    if not count:
        return moment
    years, month = divmod(moment.year * 12 + moment.month - 1 + count, 12)
    if not MINYEAR <= years <= MAXYEAR:
        return _end_of_calendar(late=count > 0)
    day = min(moment.day, calendar.monthrange(years, month + 1)[1])
    return moment.replace(year=years, month=month + 1, day=day)


def shifted(moment: datetime, span: timedelta) -> datetime:
    """Return the moment that lies `span` after `moment`, or the end of the calendar on that side."""
    try:
        return moment + span
    except OverflowError:
        return _end_of_calendar(late=span > timedelta())


def _end_of_calendar(*, late: bool) -> datetime:
    return datetime.max.replace(tzinfo=UTC) if late else datetime.min.replace(tzinfo=UTC)
