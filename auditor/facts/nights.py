"""Which scheduled backups left no archive, and which periods have one. Pure."""

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
# Each is counted in the newest of these spans alone: what the months keep is a day and a week, too.
_PERIODS = (("days", "%Y-%m-%d", 10 * _DAY), ("weeks", "%G-%V", 42 * _DAY), ("months", "%Y-%m", timedelta.max))


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


def periods_held(starts: Sequence[datetime], zone: tzinfo) -> dict[str, int]:
    """Return how many different days, weeks and months have an archive, as borg's prune counts them: by local time.

    `starts` is sorted. Days are those of the 10 days before the newest archive, weeks those of the 42 days before it.
    """
    return {
        name: len({each.astimezone(zone).strftime(period) for each in starts if starts[-1] - each < span})
        for name, period, span in _PERIODS
    }
