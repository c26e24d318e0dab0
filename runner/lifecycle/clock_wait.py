"""Waiting for the clock after the host's start: one without a battery starts in the past, and its timers at once.

Only for a limited time after the start, and only while the kernel says so: a host without a time service waits once
for each start, and what earlier records say of the time keeps no run from its work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.quantities import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

_PAUSE_SECONDS = 1.0
_UNSYNCHRONISED = "the kernel says that the clock is not synchronised"


def wait_for_clock(
    limit: timedelta,
    *,
    synchronised: Callable[[], bool | None],
    seconds_since_start: Callable[[], float],
    sleep: Callable[[float], None],
    say: Callable[[str], None],
) -> str | None:
    """Wait until the clock is synchronised, at most until `limit` after the host's start.

    Return None if there was no need or it was; else a sentence for the record: waited in vain. `synchronised` returns
    None where that cannot be known: then nobody waits.
    """
    waited = False
    while synchronised() is False:
        left = limit.total_seconds() - seconds_since_start()
        if left <= 0:
            tried = f"{_UNSYNCHRONISED} {format_duration(limit)} after the start: is a time service running?"
            return f"{tried} `timedatectl` says so; clock_wait says how long to wait" if waited else None
        if not waited:
            say(f"{_UNSYNCHRONISED}: waiting for that until {format_duration(limit)} after the start (clock_wait)")
        waited = True
        sleep(min(_PAUSE_SECONDS, left))
    return None
