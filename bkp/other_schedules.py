"""Which of the schedules that the probe found start scrubs of a pool, and self-tests of a disk. Pure.

One file is one scheduler, however many of its lines belong to it: a cron file may test short on weekdays and long on
Sundays. A schedule that names no pool or disk, or names it by a pattern or a variable, counts for all of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bkp.device_names import disk_key
from bkp.started_work import devices_in, scrubs_in, self_tests_in

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from bkp.started_work import Named

_TIMER = re.compile(r"@(?P<instance>.+)\.timer$")
_ESCAPED = re.compile(r"\\x([0-9a-f]{2})")  # systemd-escape(1)


def scrub_schedulers(schedules: Iterable[str], pool: str) -> tuple[str, ...]:
    """Return the files and timers that start scrubs of a pool."""
    return _schedulers(schedules, _pools_named, (pool,))


def self_test_schedulers(schedules: Iterable[str], paths: Collection[str]) -> tuple[str, ...]:
    """Return the files that start self-tests of the disk that these paths lead to."""
    return _schedulers(schedules, _devices_named, {disk_key(path) for path in paths})


def _schedulers(
    schedules: Iterable[str], named: Callable[[str, str], Named], names: Collection[str]
) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for schedule in schedules:
        place, _, line = schedule.partition(": ")
        meant = named(place, line)
        if meant is None or any(name in meant for name in names):
            found[place] = None
    return tuple(found)


def _pools_named(place: str, line: str) -> Named:
    """Return the pools that a schedule names; None: all of them."""
    if (timer := _TIMER.search(place)) is not None:
        return (_ESCAPED.sub(lambda match: chr(int(match[1], 16)), timer["instance"]),)
    return _together(scrubs_in(line))


def _devices_named(_place: str, line: str) -> Named:
    """Return the devices that a schedule names; None: all of them. A line of smartd's is no call, but begins so."""
    devices = _together(self_tests_in(line) or (devices_in(line),))
    return None if devices is None else tuple(disk_key(device) for device in devices)


def _together(found: tuple[Named, ...]) -> Named:
    """Return what all calls of a line name."""
    named = [each for each in found if each is not None]
    return None if not found or len(named) < len(found) else tuple(name for each in named for name in each)
