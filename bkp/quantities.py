"""Durations and sizes as people write them (`26h`, `1h30m`, `1G`), and back again for people to read."""

from __future__ import annotations

import re
from datetime import timedelta

_DURATION_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"\d+[smhdw](?: ?\d+[smhdw])*", re.ASCII)
_DURATION_PART = re.compile(r"(\d+)([smhdw])", re.ASCII)

_SIZE_UNITS = {None: 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40, "P": 1 << 50}
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(?:([KMGTP])(?:i?B)?|B)?", re.ASCII)
_MAX_SECONDS = 100 * 366 * 86400
_MAX_DIGITS = 18

DURATION_FORM = "a duration such as 90s, 30m, 26h, 7d or 1h30m"
SIZE_FORM = "a size such as 500M, 1G or 1.5T (powers of 1024)"


def parse_duration(text: str) -> timedelta:
    """Return the duration that `text` says. Raise ValueError unless it is `DURATION_FORM`, at most 100 years."""
    if len(text) > 64 or not _DURATION.fullmatch(text):
        raise ValueError(f"wanted {DURATION_FORM}")
    seconds = sum(int(number) * _DURATION_UNITS[unit] for number, unit in _DURATION_PART.findall(text))
    if seconds > _MAX_SECONDS:
        raise ValueError("a duration over 100 years")
    return timedelta(seconds=seconds)


def parse_size(text: str) -> int:
    """Return the number of bytes that `text` says. Raise ValueError unless it is `SIZE_FORM`."""
    match = _SIZE.fullmatch(text) if len(text) <= _MAX_DIGITS + 4 else None
    if match is None:
        raise ValueError(f"wanted {SIZE_FORM}")
    whole, _, fraction = match[1].partition(".")
    return int(whole + fraction) * _SIZE_UNITS[match[2]] // int("1" + "0" * len(fraction))


def format_duration(duration: timedelta) -> str:
    """Say a duration in its two largest units: `3d 4h`, `12m 5s`, `0.4s`."""
    seconds = duration.total_seconds()
    if seconds < 0:
        return "-" + format_duration(-duration)
    if seconds < 10:
        return f"{seconds:.1f}s".replace(".0s", "s")
    rest = round(seconds)
    parts: list[tuple[int, str]] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append((count, unit))
    return " ".join(f"{count}{unit}" for count, unit in parts[:2] if count) or "0s"


def format_size(count: float) -> str:
    """Say a number of bytes in binary units with at most one decimal: `1.5 GiB`, `812 B`."""
    if abs(count) < 1024:
        return f"{count:.0f} B"
    for unit in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        count /= 1024
        if abs(count) < 1024 or unit == "PiB":
            break
    return f"{count:.1f} {unit}"
