"""What a disk says of the self-test of a run, judged. Pure."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

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


def log_marks(tests: Iterable[SelfTest] | None, kind: SelfTestKind) -> str:
    """Return what tells whether a log has a new entry of a kind: a mark for each, the newest first.

    A test that runs is not in it yet. A full log forgets its oldest entry for a new one of whatever kind.
    """
    ended = (
        (test.result_said, test.at_power_on_hours, test.first_bad_lba)
        for test in tests or ()
        if test.kind is kind and test.result is not SelfTestResult.IN_PROGRESS
    )
    return "".join(hashlib.sha256(msgspec.json.encode(each)).hexdigest()[:8] for each in ended)


def standing(record: SelfTestRecord, health: DiskHealth | None, now: datetime) -> SelfTestRecord:
    """Return how the test of a run stands. `health` is None where the disk cannot be asked, as while it sleeps.

    The end is the log's newest entry of that kind once that is not one of those before. A disk that names no end
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
    kind = kind_in_log(record.kind)
    ended = next((test for test in tests if test.kind is kind), None)
    is_new = not record.log_before.startswith(log_marks(tests, kind))
    if ended is not None and (is_new or _same_again(record, ended, now)):
        return _ended(record, ended)
    return _given_up(record, now)


def kind_in_log(kind: Literal["short", "long"]) -> SelfTestKind:
    """Return the kind of test in a disk's log that a job starts."""
    return SelfTestKind.SHORT if kind == "short" else SelfTestKind.LONG


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
