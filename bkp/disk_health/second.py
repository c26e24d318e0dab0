"""A second reading of the same disk, by pySMART, and where it says otherwise than smartctl's JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bkp.disk_health.model import Attribute, DiskHealth, PowerState, SelfTestResult
from bkp.disk_health.selftests import result_of
from bkp.disk_health.verdict import fails_now
from bkp.disk_health.words import leading_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bkp.disk_health.model import Protocol

MAX_DISAGREEMENTS = 50


class SecondAttribute(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table as pySMART holds it: texts, as printed."""

    id: int
    name: str
    value: str
    worst: str
    threshold: str
    failed: str
    raw: str


class SecondTest(msgspec.Struct, frozen=True, kw_only=True):
    """One self-test as pySMART holds it."""

    kind: str
    status: str
    hours: str


class SecondReading(msgspec.Struct, frozen=True, kw_only=True):
    """What pySMART says of one disk. With `error` nothing is known; `assessment` is PASS, WARN, FAIL or not said."""

    error: str | None = None
    assessment: str | None = None
    model: str | None = None
    serial: str | None = None
    attributes: tuple[SecondAttribute, ...] = ()
    tests: tuple[SecondTest, ...] = ()


class Disagreement(msgspec.Struct, frozen=True, kw_only=True):
    """One thing on which the two differ, with the words of each."""

    what: str
    smartctl: str
    pysmart: str


# Reallocated, reported uncorrectable, pending and offline uncorrectable sectors. Others count on between two readings.
_JUDGED_RAW = frozenset({5, 187, 197, 198})


def disagreements(first: DiskHealth, second: SecondReading) -> tuple[Disagreement, ...]:
    """Return where two readings of one disk differ, at most `MAX_DISAGREEMENTS`.

    What either does not know is no disagreement. The model and the temperature are not compared: pySMART takes the
    one from a line about the controller, and the other from the air's thermometer.
    """
    if second.error is not None or first.power is PowerState.ASLEEP:
        return ()
    found = [*_serial(first, second), *_assessment(first, second), *_attributes(first, second), *_tests(first, second)]
    return tuple(found[:MAX_DISAGREEMENTS])


def _serial(first: DiskHealth, second: SecondReading) -> Iterator[Disagreement]:
    # pySMART keeps the first word
    ours = (first.identity.serial or "").split()[:1]
    theirs = (second.serial or "").split()[:1]
    if ours and theirs and ours != theirs:
        yield Disagreement(what="serial", smartctl=ours[0], pysmart=theirs[0])


def _assessment(first: DiskHealth, second: SecondReading) -> Iterator[Disagreement]:
    expected = _expected_assessment(first)
    if expected and second.assessment and expected != second.assessment:
        yield Disagreement(what="assessment", smartctl=expected, pysmart=second.assessment)


def _expected_assessment(first: DiskHealth) -> str | None:
    """Return what pySMART makes of what smartctl said: it counts every attribute, smartctl the pre-fail ones."""
    if first.passed is False or first.failing_now:
        return "FAIL"
    if first.passed is None:
        return None
    return "WARN" if first.failed_before else "PASS"


def _attributes(first: DiskHealth, second: SecondReading) -> Iterator[Disagreement]:
    if first.attributes is None or not second.attributes:
        return
    ours = {row.id: row for row in first.attributes}
    theirs = {row.id: row for row in second.attributes}
    for number in sorted(ours.keys() | theirs.keys()):
        own, other = ours.get(number), theirs.get(number)
        raw = number in _JUDGED_RAW
        mine = "absent" if own is None else _said(own, raw=raw)
        yours = "absent" if other is None else _also_said(other, raw=raw)
        if mine != yours:
            yield Disagreement(what=f"attribute {number}", smartctl=mine, pysmart=yours)


def _said(row: Attribute, *, raw: bool) -> str:
    number = row.raw if raw else None
    remarks = _remark(failing=fails_now(row.failed_said), failed=bool(row.failed_said))
    return _words((row.value, row.worst, row.threshold), number, remarks, raw=raw)


def _also_said(row: SecondAttribute, *, raw: bool) -> str:
    numbers = tuple(leading_number(text) for text in (row.value, row.worst, row.threshold))
    said = row.failed.strip()
    remark = _remark(failing=fails_now(said), failed=said not in {"", "-"})
    return _words(numbers, leading_number(row.raw) if raw else None, remark, raw=raw)


def _remark(*, failing: bool, failed: bool) -> str:
    return "fails now" if failing else "failed before" if failed else "never failed"


def _words(numbers: tuple[int | None, ...], number: int | None, remark: str, *, raw: bool) -> str:
    value, worst, threshold = ("?" if each is None else str(each) for each in numbers)
    counted = f"raw {'?' if number is None else number}, " if raw else ""
    return f"value {value}, worst {worst}, threshold {threshold}, {counted}{remark}"


def _tests(first: DiskHealth, second: SecondReading) -> Iterator[Disagreement]:
    if first.self_tests is None:
        return
    ours = _by_hour((test.at_power_on_hours, test.result) for test in first.self_tests)
    theirs = _by_hour((leading_number(test.hours), _result(test, first.protocol)) for test in second.tests)
    if not ours or not theirs:
        if ours or theirs:
            yield Disagreement(what="self-tests", smartctl=f"{len(ours)} logged", pysmart=f"{len(theirs)} logged")
        return
    # the two logs of a disk hold different numbers of tests: what is older than one of them is not compared
    since = max(min(ours), min(theirs))
    for hour in sorted(ours.keys() | theirs.keys(), reverse=True):
        own, other = ours.get(hour, "absent"), theirs.get(hour, "absent")
        if own != other and hour >= since:
            yield Disagreement(what=f"self-test at {hour} h", smartctl=own, pysmart=other)


def _result(test: SecondTest, protocol: Protocol | None) -> SelfTestResult:
    # pySMART's own word, not smartctl's
    return SelfTestResult.IN_PROGRESS if test.status == "Running" else result_of(test.status, protocol)


def _by_hour(tests: Iterable[tuple[int | None, SelfTestResult]]) -> dict[int, str]:
    """Return the results of each hour in the order of the log, without what still runs."""
    found: dict[int, list[str]] = {}
    for hour, result in tests:
        if hour is not None and result is not SelfTestResult.IN_PROGRESS:
            found.setdefault(hour, []).append(result.value)
    return {hour: ", ".join(results) for hour, results in found.items()}
