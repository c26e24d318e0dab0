"""What a disk says of the self-test of a run, judged. Pure."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from bkp.disk_health.model import SelfTestKind, SelfTestResult
from bkp.disk_health.selftests import ABORTED_OFTEN, aborted_in_a_row

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from bkp.disk_health.model import DiskHealth, SelfTest
    from bkp.state.results import SelfTestRecord, TestWord

_WORDS: dict[SelfTestResult, TestWord] = {
    SelfTestResult.PASSED: "passed",
    SelfTestResult.FAILED: "failed",
    SelfTestResult.ABORTED: "aborted",
    SelfTestResult.INTERRUPTED: "interrupted",
}
# A busy disk tests in its pauses: the time that it names is the least.
_TIMES_LONGER = 4
_LONGER = timedelta(hours=1)
_LONGEST_UNTOLD = timedelta(days=4)
# Some disks write their log a while after the test.
_LOG_DELAY = timedelta(minutes=10)


def log_digest(tests: Iterable[SelfTest] | None) -> str:
    """Return what tells whether a log is the same as before: a test that runs is not in it yet."""
    ended = [
        (test.kind_said, test.result_said, test.at_power_on_hours, test.first_bad_lba)
        for test in tests or ()
        if test.result is not SelfTestResult.IN_PROGRESS
    ]
    return hashlib.sha256(msgspec.json.encode(ended)).hexdigest()[:16]


def standing(record: SelfTestRecord, health: DiskHealth | None, now: datetime) -> SelfTestRecord:
    """Return how the test of a run stands. `health` is None where the disk cannot be asked, as while it sleeps.

    The end is the log's newest entry of that kind once the log is another one than before. A disk that names no end
    for far longer than the test takes has an unknown one, never a good one.
    """
    if health is None or health.self_tests is None:
        return _given_up(record, now)
    tests = health.self_tests
    record = msgspec.structs.replace(record, seen_at=now, aborted_in_a_row=aborted_in_a_row(tests))
    if tests and tests[0].result is SelfTestResult.IN_PROGRESS:
        done = tests[0].percent_done
        share = record.progress if done is None else done / 100
        return _given_up(msgspec.structs.replace(record, progress=share), now)
    ended = next((test for test in tests if test.kind is _kind(record)), None)
    if ended is not None and log_digest(tests) != record.log_before:
        return _ended(record, ended)
    if ended is not None and _same_again(record, ended, now):
        return _ended(record, ended)
    return _given_up(record, now)


def _kind(record: SelfTestRecord) -> SelfTestKind:
    return SelfTestKind.SHORT if record.kind == "short" else SelfTestKind.LONG


def _same_again(record: SelfTestRecord, newest: SelfTest, now: datetime) -> bool:
    """Return whether the newest entry is of this test, though a full log looks the same as before it.

    It does where each entry is like the last; the hour tells, and that the disk was seen at work.
    """
    begun = record.power_on_hours
    at_hours = newest.at_power_on_hours
    if begun is None or at_hours is None or record.progress is None or record.begun_at is None:
        return False
    return at_hours >= begun and now - record.begun_at > _LOG_DELAY + timedelta(minutes=record.minutes or 0)


def _ended(record: SelfTestRecord, test: SelfTest) -> SelfTestRecord:
    return msgspec.structs.replace(
        record,
        ended_as=_WORDS.get(test.result, "unknown"),
        said=test.result_said,
        first_bad_lba=test.first_bad_lba,
        progress=1.0 if test.result in {SelfTestResult.PASSED, SelfTestResult.FAILED} else record.progress,
    )


def _given_up(record: SelfTestRecord, now: datetime) -> SelfTestRecord:
    """Return the same, or an unknown end where it is long overdue."""
    if record.begun_at is None:
        return record
    takes = timedelta(minutes=record.minutes) * _TIMES_LONGER + _LONGER if record.minutes else _LONGEST_UNTOLD
    if now - record.begun_at <= takes:
        return record
    return msgspec.structs.replace(record, ended_as="unknown", said=None)


def why_aborted(record: SelfTestRecord) -> str:
    """Return what an end without a verdict comes to, with the likely cause where it is not the first."""
    by = "by a reset" if record.ended_as == "interrupted" else "before its end"
    said = f" ({record.said})" if record.said else ""
    why = f"the {record.kind} self-test was {record.ended_as} {by}{said}"
    if record.aborted_in_a_row < ABORTED_OFTEN:
        return why
    return (
        f"{why}, as were the last {record.aborted_in_a_row}: probably the USB bridge resets the disk, or something has "
        "it spin down meanwhile"
    )
