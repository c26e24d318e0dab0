"""The parts of smartctl's text that only NVMe disks have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bkp.disk_health import selftests
from bkp.disk_health.model import Protocol, SelfTest, SelfTestResult, Values
from bkp.disk_health.words import clean, grouped_number, hours_to_seconds, leading_number, plausible_celsius

if TYPE_CHECKING:
    from bkp.disk_health.as_text.lines import Text

_CELSIUS = re.compile(r"(-?\d+) (?:Celsius|C)\b.*")
_HEX = re.compile(r"0x([0-9a-f]{2})", re.IGNORECASE)
_TEST_LOG = re.compile(r"Num\s+Test_Description\s+Status\s+Power_on_Hours\b")
_NO_TESTS = re.compile(r"No Self-tests Logged", re.IGNORECASE)
_TEST_LINE = re.compile(r"\s*\d+\s+\S.*")
_TEST = re.compile(
    r"\s*\d+\s+(?P<kind>Short|Extended|Vendor specific|Unknown \(\w+\))\s+(?P<status>\S.*?)\s+"
    r"(?P<hours>\d+)\s+(?P<lba>-|\d+)(?:\s+[-*\w]+){3,4}"
)
_RUNNING = re.compile(r"Self-test status: (?!No self-test )(.*in progress.*?)(?: \((\d{1,3})% completed\))?")


def critical_warning(text: Text) -> int | None:
    """Return the bits of the critical warning; None where they are not printed."""
    match = _HEX.fullmatch(text.first("critical warning") or "")
    return int(match[1], 16) if match else None


def values(text: Text) -> Values:
    """Return what an NVMe disk measures."""
    celsius = _CELSIUS.fullmatch(text.first("temperature") or "")
    return Values(
        temperature_celsius=plausible_celsius(int(celsius[1][:5])) if celsius else None,
        power_on_seconds=hours_to_seconds(_number(text, "power on hours")),
        power_cycles=_number(text, "power cycles"),
        wear_ratio=text.percent("percentage used"),
        media_errors=_number(text, "media and data integrity errors"),
        unsafe_shutdowns=_number(text, "unsafe shutdowns"),
        error_log_count=_number(text, "error information log entries"),
        spare_ratio=text.percent("available spare"),
        spare_threshold_ratio=text.percent("available spare threshold"),
    )


def _number(text: Text, name: str) -> int | None:
    return grouped_number(text.first(name) or "")


def self_tests(text: Text, power_on: int | None) -> tuple[str | None, tuple[SelfTest, ...] | None]:
    """Return what runs in smartctl's words, and the log with a running test first."""
    lines = text.entries(_TEST_LOG, _TEST_LINE, _NO_TESTS)
    log = None if lines is None else tuple(_entry(line, power_on) for line in lines)
    current = None
    if running := next(text.matches(_RUNNING), None):
        words = clean(running[1])
        done = leading_number(running[2] or "")
        current = selftests.entry(Protocol.NVME, words, words, result=SelfTestResult.IN_PROGRESS, done=done)
    return text.first("self-test status"), selftests.with_current(log, current)


def _entry(line: str, power_on: int | None) -> SelfTest:
    """Return one line of the log; one that cannot be read stays, as unknown."""
    match = _TEST.fullmatch(line)
    if match is None:
        return selftests.entry(Protocol.NVME, "", clean(line), result=SelfTestResult.UNKNOWN)
    return selftests.entry(
        Protocol.NVME,
        match["kind"],
        match["status"],
        at_hours=leading_number(match["hours"]),
        power_on=power_on,
        lba=leading_number(match["lba"]),
    )
