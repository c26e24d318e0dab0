"""The parts of smartctl's JSON that only ATA disks have."""

from __future__ import annotations

import msgspec

from bkp.disk_health import attributes, selftests
from bkp.disk_health.as_json import tree
from bkp.disk_health.attributes import AttributeTable
from bkp.disk_health.model import Attribute, Identity, Protocol, SelfTest, Values
from bkp.disk_health.words import (
    clean,
    first_known,
    hours_to_seconds,
    largest,
    leading_number,
    percent_ratio,
    plausible_celsius,
)

# the disk's own statistics, which mean the same for every maker
_ENDURANCE = "Percentage Used Endurance Indicator"
_REALLOCATED = "Number of Reallocated Logical Sectors"
_UNCORRECTABLE = "Number of Reported Uncorrectable Errors"


def table(document: tree.Tree) -> AttributeTable:
    """Return the table of attributes; None where the output has none."""
    found = tree.rows(document, "ata_smart_attributes", "table")
    if found is None:
        return AttributeTable(None, whole=False)
    readable = [row for item in found if (row := _attribute(item)) is not None]
    return AttributeTable(tuple(readable), whole=len(readable) == len(found))


def _attribute(item: object) -> Attribute | None:
    number = tree.whole(item, "id")
    if number is None or not 1 <= number <= 255:
        return None
    said = tree.text(item, "raw", "string")
    # `raw.value` holds all 48 bits, of which the counter may be some: smartctl prints it first in `raw.string`
    raw = leading_number(said) if said is not None else tree.whole(item, "raw", "value")
    return Attribute(
        id=number,
        name=clean(tree.text(item, "name") or ""),
        value=tree.whole(item, "value"),
        worst=tree.whole(item, "worst"),
        threshold=tree.whole(item, "thresh"),
        prefail=tree.flag(item, "flags", "prefailure"),
        failed_said=_failed_said(item),
        raw=raw,
        raw_said=None if said is None else clean(said),
    )


def _failed_said(item: object) -> str | None:
    """Return the remark on a failed threshold. What is there and no text is a remark as well: of what, nobody knows."""
    found = tree.at(item, "when_failed")
    if found is None or isinstance(found, str):
        return tree.text(item, "when_failed")
    return clean(str(found)) or "?"


def values(document: tree.Tree, rows: tuple[Attribute, ...] | None, identity: Identity) -> Values:
    """Return what an ATA disk measures: smartctl's own reading first, then its attributes."""
    found = attributes.values_of(rows or (), identity)
    power_on = hours_to_seconds(
        tree.whole(document, "power_on_time", "hours"), tree.whole(document, "power_on_time", "minutes")
    )
    said = plausible_celsius(tree.signed(document, "temperature", "current"))
    endurance = percent_ratio(_statistic(document, _ENDURANCE))
    wear = [value for value in (endurance, found.wear_ratio) if value is not None]
    log = tree.at(document, "ata_smart_error_log")
    return msgspec.structs.replace(
        found,
        temperature_celsius=first_known(said, found.temperature_celsius),
        power_on_seconds=first_known(power_on, found.power_on_seconds),
        power_cycles=first_known(tree.whole(document, "power_cycle_count"), found.power_cycles),
        wear_ratio=max(wear, default=None),
        reallocated_sectors=largest(found.reallocated_sectors, _statistic(document, _REALLOCATED)),
        pending_sectors=largest(found.pending_sectors, tree.whole(document, "ata_pending_defects_log", "count")),
        media_errors=largest(found.media_errors, _statistic(document, _UNCORRECTABLE)),
        error_log_count=first_known(tree.whole(log, "extended", "count"), tree.whole(log, "summary", "count")),
    )


def _statistic(document: tree.Tree, name: str) -> int | None:
    for page in tree.rows(document, "ata_device_statistics", "pages") or ():
        for item in tree.rows(page, "table") or ():
            if tree.text(item, "name") == name and tree.flag(item, "flags", "valid") is not False:
                return tree.whole(item, "value")
    return None


def self_tests(document: tree.Tree, power_on: int | None) -> tuple[str | None, tuple[SelfTest, ...] | None]:
    """Return the status of the latest test in smartctl's words, and the log with a running test first."""
    status = tree.at(document, "ata_smart_data", "self_test", "status")
    said = tree.text(status, "string")
    current = None
    if (value := tree.whole(status, "value")) is not None:
        # smartctl words it otherwise than in the log ("in progress, 90% remaining")
        result, done = selftests.ata_result(value, ""), selftests.ata_done(value)
        current = selftests.entry(Protocol.ATA, "", clean(said or ""), result=result, done=done)
    return said, selftests.with_current(_log(document, power_on), current)


def _log(document: tree.Tree, power_on: int | None) -> tuple[SelfTest, ...] | None:
    for name in ("extended", "standard"):
        log = tree.at(document, "ata_smart_self_test_log", name)
        found = tree.rows(log, "table")
        if found is not None:
            return tuple(_entry(item, power_on) for item in found)
        if tree.whole(log, "count") == 0:
            return ()
    return None


def _entry(item: object, power_on: int | None) -> SelfTest:
    status = tree.at(item, "status")
    value = tree.whole(status, "value")
    said = clean(tree.text(status, "string") or "")
    return selftests.entry(
        Protocol.ATA,
        clean(tree.text(item, "type", "string") or ""),
        said,
        result=selftests.ata_result(value, said),
        at_hours=tree.whole(item, "lifetime_hours"),
        power_on=power_on,
        lba=tree.whole(item, "lba"),
        done=selftests.ata_done(value),
    )
