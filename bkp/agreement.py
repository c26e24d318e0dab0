"""Where the record of a scrub or self-test and the hardware's own log contradict each other. Pure.

Each vouches for the other: a record can be rewritten or restored from elsewhere, and a disk or pool can be another one.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bkp.disk_health.model import SelfTestKind, SelfTestResult
from bkp.state.results import ScrubResult, SelfTestRecord

if TYPE_CHECKING:
    from datetime import datetime

    from bkp.disk_health.model import DiskHealth
    from bkp.state.records import Run
    from bkp.zfs_health.model import Scan

_SLACK = timedelta(minutes=1)
# An ATA disk keeps so many tests; of a longer log the older ones are gone. Its hours begin again at 65,536.
_FULL_LOG = 19
_HOURS_WRAP = 1 << 16


def scrub_contradiction(success: Run | None, scan: Scan, seen_at: datetime | None) -> str | None:
    """Return how the pool contradicts the record of its last good scrub; None where it does not, or cannot tell."""
    result = success.result if success is not None else None
    if not isinstance(result, ScrubResult) or result.ended_at is None or seen_at is None or seen_at < result.ended_at:
        return None
    told = f"a scrub that ended at {result.ended_at:%Y-%m-%d %H:%M} UTC is recorded"
    if scan.state == "never":
        return f"{told}, and the pool was never scrubbed"
    if scan.state == "finished" and scan.end is not None and scan.end < result.ended_at - _SLACK:
        return f"{told}, and the pool's last one ended before it"
    return None


def self_test_contradiction(success: Run | None, health: DiskHealth, seen_at: datetime | None) -> str | None:
    """Return how the disk's log contradicts the record of its last test that passed; None where it does not."""
    result = success.result if success is not None else None
    if success is None or not isinstance(result, SelfTestRecord) or not result.passed or seen_at is None:
        return None
    if success.ended_at is None or seen_at < success.ended_at or health.self_tests is None:
        return None
    kind = SelfTestKind.SHORT if result.kind == "short" else SelfTestKind.LONG
    passed = [test for test in health.self_tests if test.kind is kind and test.result is SelfTestResult.PASSED]
    told = f"a {result.kind} self-test that passed on {success.ended_at:%Y-%m-%d} is recorded"
    if not passed and len(health.self_tests) < _FULL_LOG:
        return f"{told}, and the disk's log has none"
    begun = result.power_on_hours
    hours = [test.at_power_on_hours for test in passed if test.at_power_on_hours is not None]
    if begun is None or begun >= _HOURS_WRAP or len(health.self_tests) >= _FULL_LOG or not hours:
        return None
    return f"{told}, and the disk's log has only older ones" if max(hours) < begun - 1 else None
