"""Self-tests: smartctl's words for their kinds and results, and how long ago they ended."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bkp.disk_health.model import ExitBit, Protocol, SelfTest, SelfTestKind, SelfTestResult

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bkp.disk_health.model import DiskHealth

# An ATA disk keeps the hour in 16 bits; after seven and a half years it begins again at 0.
_HOURS_WRAP = 1 << 16
_NVME_TESTS = (7, 4)
ABORTED_OFTEN = 3  # so many aborted tests in a row have one cause

_RESULTS = (
    (re.compile(r"completed without error"), SelfTestResult.PASSED),
    (re.compile(r"interrupted.*|aborted:? \(?(?:device|controller) reset.*"), SelfTestResult.INTERRUPTED),
    (re.compile(r"aborted\b.*"), SelfTestResult.ABORTED),
    (re.compile(r".*\bin progress\b.*"), SelfTestResult.IN_PROGRESS),
    (re.compile(r"completed[:,] .*(?:fail|damage).*|failed\b.*"), SelfTestResult.FAILED),
    (re.compile(r"fatal or unknown.*|unknown error, incomplete.*"), SelfTestResult.FAILED),
)

# An ATA disk's status byte: this nibble, and the tenths that remain (ATA ACS, SMART self-test execution status).
_RUNNING = 0xF
_ATA = {
    0x0: SelfTestResult.PASSED,
    0x1: SelfTestResult.ABORTED,
    0x2: SelfTestResult.INTERRUPTED,
    **dict.fromkeys(range(0x3, 0x9), SelfTestResult.FAILED),
    _RUNNING: SelfTestResult.IN_PROGRESS,
}
# NVMe base specification, device self-test log: 2 is a reset, 5 to 7 are failures, the rest ends it for other reasons
_NVME = {
    **dict.fromkeys((0x1, 0x3, 0x4, 0x8, 0x9), SelfTestResult.ABORTED),
    **dict.fromkeys((0x5, 0x6, 0x7), SelfTestResult.FAILED),
    0x0: SelfTestResult.PASSED,
    0x2: SelfTestResult.INTERRUPTED,
}
# SPC, self-test results log page: as for ATA, but for the failures, which end at 7
_SCSI = {code: result for code, result in _ATA.items() if code != 0x8}
_BY_CODE = {Protocol.ATA: _ATA, Protocol.NVME: _NVME, Protocol.SCSI: _SCSI}


def newest_of_each_kind(tests: Iterable[SelfTest]) -> dict[SelfTestKind, SelfTest]:
    """Return the newest test of each kind; a log has the newest first."""
    found: dict[SelfTestKind, SelfTest] = {}
    for test in tests:
        found.setdefault(test.kind, test)
    return found


def aborted_in_a_row(tests: Iterable[SelfTest]) -> int:
    """Return how many of the newest tests were aborted or interrupted, one after the other; a running one is passed."""
    count = 0
    for test in tests:
        if test.result in {SelfTestResult.ABORTED, SelfTestResult.INTERRUPTED}:
            count += 1
        elif test.result is not SelfTestResult.IN_PROGRESS:
            break
    return count


def has_hidden_failure(health: DiskHealth) -> bool:
    """Return whether smartctl found a failed test in the disk's log, and shows none."""
    shown = any(test.result is SelfTestResult.FAILED for test in health.self_tests or ())
    return ExitBit.SELF_TEST_LOG in (health.exit_bits or ()) and not shown


def no_self_tests(health: DiskHealth) -> str | None:
    """Return why nothing can ever be known of self-tests of this disk; None where they are possible, or untold.

    Up to 7.3 smartctl shows no self-test log of an NVMe disk; from 7.4 on it leaves it out where the disk has none.
    """
    if health.self_tests is not None:
        return None
    if health.self_tests_supported is False:
        return "the disk says that it has no self-tests"
    if health.protocol is not Protocol.NVME or (version := _version(health.smartctl_version)) is None:
        return None
    if version < _NVME_TESTS:
        return f"smartctl {health.smartctl_version} shows no self-tests of an NVMe disk: 7.4 does"
    read = health.exit_bits is not None and health.values.power_on_seconds is not None
    return "the disk has no self-test log" if read and ExitBit.COMMAND_FAILED not in (health.exit_bits or ()) else None


def _version(text: str | None) -> tuple[int, ...] | None:
    parts = (text or "").split(".")
    return tuple(map(int, parts)) if all(part.isdecimal() for part in parts) else None


def result_of(words: str, protocol: Protocol | None) -> SelfTestResult:
    """Return what smartctl's words about a test's end mean. A SCSI disk's bare "Completed" is a pass, no other's is."""
    plain = " ".join(words.lower().split())
    if protocol is Protocol.SCSI and plain == "completed":
        return SelfTestResult.PASSED
    for pattern, result in _RESULTS:
        if pattern.fullmatch(plain):
            return result
    return SelfTestResult.UNKNOWN


def ata_result(status: int | None, words: str) -> SelfTestResult:
    """Return what an ATA disk's status byte and smartctl's words for it agree on."""
    return agreed(Protocol.ATA, None if status is None else status >> 4, words)


def agreed(protocol: Protocol, code: int | None, words: str) -> SelfTestResult:
    """Return what a disk's code for a test's end and smartctl's words for it agree on.

    Where they do not, the test failed if either says so, and else its result is unknown.
    """
    by_words = result_of(words, protocol)
    if code is None:
        return by_words
    by_number = _BY_CODE[protocol].get(code, SelfTestResult.UNKNOWN)
    if not words or by_words is by_number:
        return by_number
    return SelfTestResult.FAILED if SelfTestResult.FAILED in {by_number, by_words} else SelfTestResult.UNKNOWN


def ata_done(status: int | None) -> int | None:
    """Return how many percent of a running test an ATA disk's status byte says are done."""
    if status is None or status >> 4 != _RUNNING or status & 0xF > 10:
        return None
    return 100 - (status & 0xF) * 10


def kind_of(words: str) -> SelfTestKind:
    """Return which test smartctl's words name."""
    plain = words.lower()
    if re.search(r"\bshort\b", plain):
        return SelfTestKind.SHORT
    if re.search(r"\b(?:extended|long)\b", plain):
        return SelfTestKind.LONG
    return SelfTestKind.CONVEYANCE if re.search(r"\bconveyance\b", plain) else SelfTestKind.OTHER


def age_hours(protocol: Protocol | None, power_on_seconds: int | None, at_hours: int | None) -> int | None:
    """Return how many powered hours ago a test ended; None where the two numbers do not fit together.

    Of an ATA disk older than 65,535 hours only the remainder is known: the age is the least that fits.
    """
    if power_on_seconds is None or at_hours is None:
        return None
    hours = power_on_seconds // 3600
    if protocol is Protocol.ATA and hours >= _HOURS_WRAP and at_hours < _HOURS_WRAP:
        return (hours - at_hours) % _HOURS_WRAP
    return hours - at_hours if hours >= at_hours else None


def entry(
    protocol: Protocol | None,
    kind_said: str,
    result_said: str,
    *,
    result: SelfTestResult | None = None,
    at_hours: int | None = None,
    power_on: int | None = None,
    lba: int | None = None,
    done: int | None = None,
) -> SelfTest:
    """Return one entry of the log; `power_on` are the disk's seconds, `done` is in percent.

    `result` is what the words mean, for who knows better than `result_of`.
    """
    if result is None:
        result = result_of(result_said, protocol)
    running = result is SelfTestResult.IN_PROGRESS
    return SelfTest(
        kind=kind_of(kind_said) if kind_said else SelfTestKind.UNKNOWN,
        result=result,
        kind_said=kind_said,
        result_said=result_said,
        at_power_on_hours=at_hours,
        age_hours=None if running else age_hours(protocol, power_on, at_hours),
        first_bad_lba=lba if result is SelfTestResult.FAILED else None,
        percent_done=done if running and done is not None and 0 <= done <= 100 else None,
    )


def with_current(log: tuple[SelfTest, ...] | None, current: SelfTest | None) -> tuple[SelfTest, ...] | None:
    """Return the log with what the disk says of its current or latest test, if the log does not have it.

    `current` counts where it runs, where there is no log to tell how it ended, or where it failed and the log's newest
    did not: some disks do not log every test.
    """
    if current is None or current.result is SelfTestResult.PASSED:
        return log
    newest = log[0] if log else None
    if current.result is not SelfTestResult.IN_PROGRESS:
        unlogged = current.result is SelfTestResult.FAILED and newest and newest.result is not SelfTestResult.FAILED
        return (current, *(log or ())) if unlogged else log or (current,)
    if newest is None or newest.result is not SelfTestResult.IN_PROGRESS:
        return (current, *(log or ()))
    known = current if newest.percent_done is None else newest
    kind = current.kind if newest.kind is SelfTestKind.UNKNOWN else newest.kind
    words = newest.kind_said or current.kind_said
    both = SelfTest(
        kind=kind,
        result=newest.result,
        kind_said=words,
        result_said=newest.result_said,
        percent_done=known.percent_done,
    )
    return (both, *(log or ())[1:])
