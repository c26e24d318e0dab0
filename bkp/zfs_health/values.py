"""Numbers, sizes, times and durations in the forms in which zpool prints them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

LARGEST = (1 << 64) - 1  # ZFS counts in 64 bits: what is larger was never printed
_UNITS = " KMGTPE"
NUMBER = r"[0-9]{1,20}(?:[.,][0-9]{1,3})?[KMGTPE]?B?"
_NUMBER = re.compile(r"([0-9]{1,20})(?:[.,]([0-9]{1,3}))?([KMGTPE]?)B?")

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# ctime(3), and with the zone that date(1) adds: another zone than UTC is refused, its offset is not printed
TIME = r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} (?:(?:UTC|GMT) )?[0-9]{4}"
_TIME = re.compile(
    r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ 0-9][0-9]) (\d\d):(\d\d):(\d\d) (?:(?:UTC|GMT) )?(\d{4})", re.ASCII
)

DURATION = r"(?:[0-9]{1,7} days )?[0-9]{1,7}:[0-9]{2}:[0-9]{2}|[0-9]{1,7}h[0-9]{1,2}m"
_CLOCK = re.compile(r"(?:([0-9]{1,7}) days )?([0-9]{1,7}):([0-9]{2}):([0-9]{2})")
_HOURS = re.compile(r"([0-9]{1,7})h([0-9]{1,2})m")
_LATEST = 253402300799  # the last second of the year 9999


def number(text: str | None) -> int | None:
    """Return a count or a size in bytes (`12`, `1.32K`, `9,12T`, `0B`), rounded down; None for anything else, or none.

    A scaled number is a power of 1024, and zpool rounded it to three digits: see `is_rounded`.
    """
    found = _NUMBER.fullmatch(text or "")
    if found is None:
        return None
    whole, fraction, unit = found[1], found[2] or "", found[3]
    scale = 1 << 10 * _UNITS.index(unit or " ")
    denominator: int = 10 ** len(fraction)
    value = int(whole + fraction) * scale // denominator
    return value if value <= LARGEST else None


def is_rounded(text: str) -> bool:
    """Return whether a number carries a unit: even without a fraction (`512M`) zpool may have rounded it."""
    found = _NUMBER.fullmatch(text)
    return found is not None and bool(found[3])


def time(text: str | None) -> datetime | None:
    """Return a time as ctime(3) prints it under TZ=UTC; None for another form, language or zone, or none."""
    found = _TIME.fullmatch(text or "")
    if found is None or found[1] not in _MONTHS:
        return None
    day, hour, minute, second, year = (int(part) for part in found.groups()[1:])
    try:
        return datetime(year, _MONTHS.index(found[1]) + 1, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


def time_of(seconds: int | None) -> datetime | None:
    """Return the time that is so many seconds after 1970; None for 0, which is ZFS's word for never."""
    return datetime.fromtimestamp(seconds, UTC) if seconds and seconds <= _LATEST else None


def time_before(end: datetime, seconds: int) -> datetime | None:
    """Return the time so many seconds before another; None before the year 1."""
    try:
        return end - timedelta(seconds=seconds)
    except OverflowError:
        return None


def duration(text: str | None) -> int | None:
    """Return seconds of `00:34:20`, `1 days 02:03:04` or `57h5m`; None for anything else, or none."""
    if found := _CLOCK.fullmatch(text or ""):
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if found := _HOURS.fullmatch(text or ""):
        return (int(found[1]) * 60 + int(found[2])) * 60
    return None


def is_exact_duration(text: str) -> bool:
    """Return whether a duration tells the seconds: releases before 0.8 printed hours and minutes."""
    return _CLOCK.fullmatch(text) is not None


def ratio(done: int | None, total: int | None) -> float | None:
    """Return done / total between 0 and 1, to four digits as zpool prints it; None where it cannot be told."""
    return None if done is None or not total else round(min(done / total, 1.0), 4)


def plain(text: str, limit: int = 500) -> str:
    """Return the text on one line, its blanks single, at most `limit` characters."""
    return " ".join(text.split())[:limit]
