"""The parts of smartctl's text that only ATA disks have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from bkp.disk_health import attributes, selftests
from bkp.disk_health.attributes import AttributeTable
from bkp.disk_health.model import Attribute, Identity, Protocol, SelfTest, SelfTestResult, Values
from bkp.disk_health.words import (
    block_number,
    clean,
    first_known,
    largest,
    leading_number,
    percent_ratio,
    plausible_celsius,
)

if TYPE_CHECKING:
    from bkp.disk_health.as_text.lines import Text

_TABLE = re.compile(r"ID#\s+ATTRIBUTE_NAME\b")
_LEGEND = re.compile(r"\s+\|.*")
_NUMBERS = r"(?P<value>\d{1,3}|---)\s+(?P<worst>\d{1,3}|---)\s+(?P<threshold>\d{1,3}|---)"
# smartctl's two forms: the old one says the type in words, the brief one in the first of the flags
_ROW = re.compile(
    r"\s*(?P<id>\d{1,3}|0x[0-9a-f]{2})\s+(?P<name>\S+)\s+"
    rf"(?:0x[0-9a-f]{{4}}\s+{_NUMBERS}\s+(?P<type>Pre-fail|Old_age)\s+(?:Always|Offline)|"
    rf"(?P<flags>[P-][O-][S-][R-][C-][K-]\+?)\s+{_NUMBERS.replace('?P<', '?P<brief_')})"
    r"\s+(?P<failed>\S+)\s+(?P<raw>\S.*)"
)
_SCT_TEMPERATURE = re.compile(r"Current Temperature:\s+(-?[0-9]{1,4}) Celsius")
# the disk's own statistics, which mean the same for every maker
_STATISTIC = r"0x0{}\s+0x{}\s+[0-9]\s+(\d{{1,12}})\s+\S+\s+{}"
_ENDURANCE = re.compile(_STATISTIC.format(7, "008", "Percentage Used Endurance Indicator"))
_REALLOCATED = re.compile(_STATISTIC.format(3, "020", "Number of Reallocated Logical Sectors"))
_UNCORRECTABLE = re.compile(_STATISTIC.format(4, "008", "Number of Reported Uncorrectable Errors"))
_ERRORS = re.compile(r"(?:ATA|Device) Error Count: (\d+).*")
_NO_ERRORS = re.compile(r"No Errors Logged")
_TEST_LOG = re.compile(r"Num\s+Test_Description\s+Status\s+Remaining\b")
_NO_TESTS = re.compile(r"No self-tests have been logged.*", re.IGNORECASE)
_TEST_LINE = re.compile(r"#.*")
_TEST = re.compile(
    r"#\s*\d+\s+(?P<kind>(?:Short|Extended|Conveyance|Selective) (?:offline|captive)|Offline|Abort offline test|"
    r"(?:Vendor|Reserved) \(\w+\))\s+(?P<status>\S.*?)\s+(?P<left>\d{1,3})%\s+"
    r"(?P<hours>\d+)\s+(?P<lba>-|\d+|0x[0-9a-f]+)"
)
_STATUS = re.compile(r"Self-test execution status:\s+\(\s*(\d+)\)\s*(.*)")


def table(text: Text) -> AttributeTable:
    """Return the table of attributes; None where the text has none."""
    found = text.section(_TABLE)
    if found is None:
        return AttributeTable(None, whole=False)
    lines, ended = found
    # below the brief form stands what the flags mean; a table that ends there is whole
    rows = [line for line in lines if not _LEGEND.fullmatch(line)]
    readable = tuple(row for line in rows if (row := _attribute(line)) is not None)
    return AttributeTable(readable, whole=(ended or len(rows) < len(lines)) and len(readable) == len(rows))


def _attribute(line: str) -> Attribute | None:
    match = _ROW.fullmatch(line)
    number = int(match["id"], 0 if match["id"].startswith("0x") else 10) if match else 0
    if match is None or not 1 <= number <= 255:
        return None
    brief = "brief_" if match["flags"] else ""
    return Attribute(
        id=number,
        name=clean(match["name"]),
        value=leading_number(match[brief + "value"]),
        worst=leading_number(match[brief + "worst"]),
        threshold=leading_number(match[brief + "threshold"]),
        prefail=match["flags"].startswith("P") if match["flags"] else match["type"] == "Pre-fail",
        failed_said=None if match["failed"] == "-" else match["failed"],
        raw=leading_number(match["raw"]),
        raw_said=clean(match["raw"]),
    )


def values(text: Text, rows: tuple[Attribute, ...] | None, identity: Identity) -> Values:
    """Return what an ATA disk measures."""
    found = attributes.values_of(rows or (), identity)
    sct = next((plausible_celsius(int(match[1])) for match in text.matches(_SCT_TEMPERATURE)), None)
    told = [percent_ratio(percent) for percent in _statistics(text, _ENDURANCE)]
    wear = [value for value in (*told, found.wear_ratio) if value is not None]
    return msgspec.structs.replace(
        found,
        temperature_celsius=first_known(found.temperature_celsius, sct),
        wear_ratio=max(wear, default=None),
        reallocated_sectors=largest(found.reallocated_sectors, *_statistics(text, _REALLOCATED)),
        media_errors=largest(found.media_errors, *_statistics(text, _UNCORRECTABLE)),
        error_log_count=_errors(text),
    )


def _statistics(text: Text, wanted: re.Pattern[str]) -> list[int]:
    return [int(match[1]) for match in text.matches(wanted)]


def _errors(text: Text) -> int | None:
    counted = [number for match in text.matches(_ERRORS) if (number := leading_number(match[1])) is not None]
    if counted:
        return max(counted)
    return 0 if any(text.matches(_NO_ERRORS)) else None


def self_tests(text: Text, power_on: int | None) -> tuple[str | None, tuple[SelfTest, ...] | None]:
    """Return the status of the latest test in smartctl's words, and the log with a running test first."""
    lines = text.entries(_TEST_LOG, _TEST_LINE, _NO_TESTS)
    log = None if lines is None else tuple(_entry(line, power_on) for line in lines)
    status = next(text.matches(_STATUS), None)
    if status is None:
        return None, log
    value, said = leading_number(status[1]), clean(status[2])
    current = selftests.entry(
        Protocol.ATA, "", said, result=selftests.ata_result(value, ""), done=selftests.ata_done(value)
    )
    return said, selftests.with_current(log, current)


def _entry(line: str, power_on: int | None) -> SelfTest:
    """Return one line of the log. One that cannot be read stays, as unknown: else an older one would look newest."""
    match = _TEST.fullmatch(line)
    if match is None:
        return selftests.entry(Protocol.ATA, "", clean(line), result=SelfTestResult.UNKNOWN)
    return selftests.entry(
        Protocol.ATA,
        match["kind"],
        match["status"],
        at_hours=leading_number(match["hours"]),
        power_on=power_on,
        lba=block_number(match["lba"]),
        done=100 - int(match["left"]),
    )
