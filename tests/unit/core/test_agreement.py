"""Records of scrubs and self-tests, held against what pools and disks themselves tell."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bkp.agreement import scrub_contradiction, self_test_contradiction
from bkp.disk_health.model import DiskHealth, SelfTest, SelfTestKind, SelfTestResult
from bkp.zfs_health.model import Scan
from tests.support.observed import a_disk
from tests.support.records import START, a_run, a_scrub, a_self_test
from tests.unit.core.observed_support import Server

if TYPE_CHECKING:
    from pathlib import Path

    from bkp.state.records import Run

LATER = START + timedelta(hours=1)
DAY = timedelta(days=1)
SCRUBBED = a_run("scrub", target="tank", result=a_scrub(START))
ENDED = START + timedelta(minutes=11)
TESTED = a_run("selftest-short", target="left", result=a_self_test(START, power_on_hours=1000))


@pytest.mark.parametrize(
    ("success", "scan", "contradicts"),
    [
        (SCRUBBED, Scan(state="finished", end=ENDED), False),
        (SCRUBBED, Scan(state="finished", end=ENDED + DAY), False),  # somebody has scrubbed since
        (SCRUBBED, Scan(state="finished", end=ENDED - DAY), True),
        (SCRUBBED, Scan(state="never"), True),
        (SCRUBBED, Scan(state="in progress"), False),
        (SCRUBBED, Scan(state="canceled", end=ENDED - DAY), False),  # of a later one the pool tells no end
        (SCRUBBED, Scan(state="not told"), False),
        (None, Scan(state="never"), False),
    ],
)
def test_a_scrub_that_the_pool_does_not_know_of_is_a_contradiction(
    success: Run | None, scan: Scan, contradicts: bool
) -> None:
    assert (scrub_contradiction(success, scan, LATER) is not None) is contradicts
    assert scrub_contradiction(success, scan, START) is None  # it was looked at before the scrub ended
    assert scrub_contradiction(success, scan, None) is None


def entry(result: SelfTestResult, hours: int, kind: SelfTestKind = SelfTestKind.SHORT) -> SelfTest:
    return SelfTest(kind=kind, result=result, at_power_on_hours=hours)


PASSED, FAILED = SelfTestResult.PASSED, SelfTestResult.FAILED


@pytest.mark.parametrize(
    ("log", "contradicts"),
    [
        ((entry(PASSED, 1000),), False),
        ((entry(FAILED, 1100), entry(PASSED, 1000)), False),
        ((), True),
        ((entry(PASSED, 1000, SelfTestKind.LONG),), True),
        ((entry(PASSED, 700),), True),
        (tuple(entry(FAILED, 1100 + n) for n in range(21)), False),  # the log has no room for more
        (None, False),
    ],
)
def test_a_test_that_the_disk_does_not_know_of_is_a_contradiction(
    log: tuple[SelfTest, ...] | None, contradicts: bool
) -> None:
    health = DiskHealth(self_tests=log)
    assert (self_test_contradiction(TESTED, health, LATER) is not None) is contradicts
    assert self_test_contradiction(TESTED, health, START) is None
    assert self_test_contradiction(None, health, LATER) is None


def test_what_contradicts_a_record_is_a_concern_of_the_pool_or_the_disk(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.store.write_ended(SCRUBBED)
    server.store.write_ended(a_run("selftest-long", START, target="left", result=a_self_test(START, kind="long")))
    server.observer.disk(a_disk(self_tests=()))
    found = {each.object: each.sentence for each in server.seen() if each.kind == "records_disagree"}
    assert set(found) == {"pool tank", "disk left"}
    assert "the pool's last one ended before it" in found["pool tank"]
    assert "the disk's log has none" in found["disk left"]
