"""The parts of smartctl's text that only SCSI and SAS disks have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bkp.disk_health import selftests
from bkp.disk_health.model import Protocol, SelfTest, SelfTestResult, Values
from bkp.disk_health.words import block_number, clean, hours_to_seconds, leading_number, scsi_temperature, total

if TYPE_CHECKING:
    from bkp.disk_health.as_text.lines import Text

_DEGREES = re.compile(r"(-?\d{1,4}) C(?:elsius)?\b.*")
_POWER_ON = re.compile(r"Accumulated power on time, hours:minutes (\d+):(\d{2})\b.*")
_POWERED_UP = re.compile(r"\s*number of hours powered up = (\d+)(?:\.\d+)?")
_COUNTERS = re.compile(r"(?:read|write|verify):(?:(?:\s+\S+){6}\s+(?P<uncorrected>\d+)|.*)")
_TEST_LOG = re.compile(r"Num\s+Test\s+Status\b")
_NO_TESTS = re.compile(r"No self-tests have been logged.*", re.IGNORECASE)
_TEST_LINE = re.compile(r"#.*")
_TEST = re.compile(
    r"#\s*\d+\s+(?P<kind>(?:Background|Foreground) (?:short|long)|Abort background|Default|Reserved\(\d\))\s+"
    r"(?P<status>\S.*?)(?:\s+-->)?\s+(?:-|\d+)\s+(?P<hours>NOW|\d+)\s+(?P<lba>-|\d+|0x[0-9a-f]+)\s+\[.*\]"
)
_REMAINING = re.compile(r"Self-test execution status:\s+(\d{1,3})% of test remaining")


def values(text: Text) -> Values:
    """Return what a SCSI disk measures."""
    return Values(
        temperature_celsius=scsi_temperature(
            _degrees(text, "current drive temperature"), _degrees(text, "drive trip temperature")
        ),
        power_on_seconds=_power_on(text),
        power_cycles=leading_number(text.first("accumulated start-stop cycles") or ""),
        wear_ratio=text.percent("percentage used endurance indicator"),
        reallocated_sectors=leading_number(text.first("elements in grown defect list") or ""),
        pending_sectors=leading_number(text.first("pending defect count") or ""),
        media_errors=total(leading_number(match["uncorrected"] or "") for match in text.matches(_COUNTERS)),
    )


def _degrees(text: Text, name: str) -> int | None:
    match = _DEGREES.fullmatch(text.first(name) or "")
    return int(match[1]) if match else None


def _power_on(text: Text) -> int | None:
    for match in text.matches(_POWER_ON):
        return hours_to_seconds(leading_number(match[1]), int(match[2]))
    for match in text.matches(_POWERED_UP):
        return hours_to_seconds(leading_number(match[1]))
    return None


def self_tests(text: Text, power_on: int | None) -> tuple[str | None, tuple[SelfTest, ...] | None]:
    """Return no words (SCSI has none), and the log with a running test first."""
    lines = text.entries(_TEST_LOG, _TEST_LINE, _NO_TESTS)
    log = None if lines is None else tuple(_entry(line, power_on) for line in lines)
    current = None
    if remaining := next(text.matches(_REMAINING), None):
        done = 100 - int(remaining[1])
        current = selftests.entry(Protocol.SCSI, "", "", result=SelfTestResult.IN_PROGRESS, done=done)
    return None, selftests.with_current(log, current)


def _entry(line: str, power_on: int | None) -> SelfTest:
    """Return one line of the log; one that cannot be read stays, as unknown."""
    match = _TEST.fullmatch(line)
    if match is None:
        return selftests.entry(Protocol.SCSI, "", clean(line), result=SelfTestResult.UNKNOWN)
    return selftests.entry(
        Protocol.SCSI,
        match["kind"],
        match["status"],
        result=SelfTestResult.IN_PROGRESS if match["hours"] == "NOW" else None,
        at_hours=leading_number(match["hours"]),
        power_on=power_on,
        lba=block_number(match["lba"]),
    )
