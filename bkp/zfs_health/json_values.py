"""Values in zpool's JSON: numbers as integers or strings, times as seconds or words, texts on one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from bkp.zfs_health.values import LARGEST, is_rounded, number, plain, time, time_of

if TYPE_CHECKING:
    from datetime import datetime

Item: TypeAlias = dict[str, Any]


def integer(item: Item, key: str) -> int | None:
    """Return a count or a size, exact or scaled; None where there is none."""
    value = item.get(key)
    if isinstance(value, str):
        return number(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST else None


def is_scaled(item: Item, key: str) -> bool:
    """Return whether a number was printed scaled, and so rounded."""
    value = item.get(key)
    return isinstance(value, str) and is_rounded(value)


def moment(item: Item, key: str) -> datetime | None:
    """Return a time: seconds since 1970, or words under TZ=UTC. 0 and `-` are no time."""
    seconds = integer(item, key)
    if seconds is not None:
        return time_of(seconds)
    value = item.get(key)
    return time(value) if isinstance(value, str) else None


def text_of(item: Item, key: str) -> str | None:
    """Return a text (or a guid, which may be an integer) on one line; None where there is none."""
    value = item.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return (plain(value) or None) if isinstance(value, str) else None
