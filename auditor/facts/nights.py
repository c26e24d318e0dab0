"""Which scheduled backups left no archive. Pure."""

from __future__ import annotations

from bisect import bisect_left
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, tzinfo

    from bkp.calendar import Schedule

_DAY = timedelta(days=1)
_MAX_NIGHTS = 400


def nights_missing(
    starts: Sequence[datetime], schedule: Schedule | None, grace: timedelta, days: int, now: datetime, zone: tzinfo
) -> tuple[str, ...]:
    """Return the elapses of the last `days` days, in UTC, after which no archive was begun for a day or until the next.

    `starts` is sorted. Nothing is asked of the time before the oldest archive, nor of an elapse still within `grace`.
    No more than the last 400 days are looked at.
    A schedule that elapses several times a day is held to one archive a day, which is what retention keeps.
    """
    if schedule is None or not starts:
        return ()
    missing: list[str] = []
    elapse = schedule.next_after(max(starts[0], now - min(days, _MAX_NIGHTS) * _DAY), zone)
    for _ in range(_MAX_NIGHTS):
        if elapse is None or elapse + grace > now:
            break
        following = schedule.next_after(elapse, zone)
        end = max(following or elapse, elapse + _DAY)
        at = bisect_left(starts, elapse)
        if (at == len(starts) or starts[at] >= end) and end <= now:
            missing.append(elapse.strftime("%Y-%m-%d %H:%M UTC"))
        elapse = schedule.next_after(end - timedelta(seconds=1), zone)
    return tuple(missing)
