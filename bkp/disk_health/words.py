"""Texts and numbers as smartctl prints them: bounded, printable, in the separators of any locale."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from bkp.disk_health.model import Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")

MAX_MESSAGES = 20
MAX_TEXT = 300
MAX_LINE = 1000
_MAX_DIGITS = 18

# thousands are set off by comma, dot, apostrophe or blank; � stands for a byte of an older encoding
_SEPARATOR = "[,.' \N{RIGHT SINGLE QUOTATION MARK}\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{REPLACEMENT CHARACTER}]"
_GROUPED = re.compile(rf"[0-9]{{1,3}}(?:{_SEPARATOR}[0-9]{{3}})+(?![0-9])|[0-9]+")
_NOT_A_DIGIT = re.compile(r"[^0-9]")
_LEADING = re.compile(r"[0-9]+")
_HOURS = re.compile(r"([0-9]+)(?:h\+([0-9]{1,2})m(?:\+([0-9]{1,2})(?:\.[0-9]+)?s)?)?(?![0-9.,:+])")

_PROTOCOLS = {"ata": Protocol.ATA, "sat": Protocol.ATA, "nvme": Protocol.NVME, "scsi": Protocol.SCSI}

# A disk that has run for a century has not: the attribute is packed in a way that smartctl does not know.
_MAX_HOURS = 1_000_000


def clean(text: str) -> str:
    """Return one printable line of at most `MAX_TEXT` characters."""
    line = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(line.split())[:MAX_TEXT]


def bounded_lines(text: str) -> tuple[str, ...]:
    """Return the lines without blanks at their ends; a longer one than smartctl prints loses what is too much."""
    return tuple(line[:MAX_LINE].rstrip() for line in text.split("\n"))


def some_messages(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the first `MAX_MESSAGES` different ones, cleaned."""
    return tuple([text for text in dict.fromkeys(clean(text) for text in texts) if text][:MAX_MESSAGES])


def first_known(*values: T | None) -> T | None:
    """Return the first of several sources of one value that knows it; 0 is known."""
    return next((value for value in values if value is not None), None)


def total(counts: Iterable[int | None]) -> int | None:
    """Return the sum; None where there are no counts, or one is not known: it may be the one above 0."""
    found = list(counts)
    known = [count for count in found if count is not None]
    return sum(known) if known and len(known) == len(found) else None


def largest(*counts: int | None) -> int | None:
    """Return the largest of several sources of one count: the disk is as bad as the worst says; None if none does."""
    return max((count for count in counts if count is not None), default=None)


def protocol_named(word: str | None) -> Protocol | None:
    """Return the protocol that smartctl calls by this word, in upper or lower case."""
    return _PROTOCOLS.get((word or "").lower())


def grouped_number(text: str) -> int | None:
    """Return the number that `text` begins with, whatever sets off its thousands; None where there is none."""
    match = _GROUPED.match(text.strip())
    digits = _NOT_A_DIGIT.sub("", match[0]) if match else ""
    return int(digits) if 0 < len(digits) <= _MAX_DIGITS else None


def leading_number(text: str) -> int | None:
    """Return the plain digits that `text` begins with, of `34 (Min/Max 21/53)` the 34; None where there are none."""
    match = _LEADING.match(text.strip())
    return int(match[0]) if match and len(match[0]) <= _MAX_DIGITS else None


def block_number(text: str) -> int | None:
    """Return the number of a block on the disk, decimal or as `0x1f`; None for the dash that stands for none."""
    return int(text[:18], 16) if text.startswith("0x") else leading_number(text)


def power_on_seconds(text: str) -> int | None:
    """Return the seconds of a power-on time: hours, or hours, minutes and seconds as in `120h+05m+07.300s`."""
    match = _HOURS.match(text.strip())
    if not match or len(match[1]) > _MAX_DIGITS:
        return None
    return hours_to_seconds(int(match[1]), int(match[2] or 0), int(match[3] or 0))


def percent_ratio(percent: int | None) -> float | None:
    """Return a percentage as a ratio, 1 for 100; NVMe counts on to 255."""
    return percent / 100 if percent is not None and 0 <= percent <= 255 else None


def hours_to_seconds(hours: int | None, minutes: int | None = None, seconds: int = 0) -> int | None:
    """Return hours, minutes and seconds as seconds; None for more hours than a disk can have."""
    if hours is None or not 0 <= hours <= _MAX_HOURS:
        return None
    return hours * 3600 + (minutes or 0) * 60 + seconds


def plausible_celsius(value: int | None) -> int | None:
    """Return a temperature a disk can have; None for what no thermometer would say."""
    return value if value is not None and -60 <= value <= 150 else None


def scsi_temperature(current: int | None, trip: int | None) -> int | None:
    """Return the temperature. A disk without a thermometer says 0 for it and 0 for where it would switch off."""
    return None if current == 0 and trip == 0 else plausible_celsius(current)
