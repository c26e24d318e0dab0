"""The parts of smartctl's JSON that only SCSI and SAS disks have."""

from __future__ import annotations

from bkp.disk_health import selftests
from bkp.disk_health.as_json import tree
from bkp.disk_health.model import Protocol, SelfTest, SelfTestResult, Values
from bkp.disk_health.words import clean, first_known, hours_to_seconds, scsi_temperature, total

_TESTS = 20
_COUNTERS = "scsi_error_counter_log"


def values(document: tree.Tree) -> Values:
    """Return what a SCSI disk measures."""
    return Values(
        temperature_celsius=scsi_temperature(
            tree.signed(document, "temperature", "current"), tree.signed(document, "temperature", "drive_trip")
        ),
        power_on_seconds=hours_to_seconds(
            tree.whole(document, "power_on_time", "hours"), tree.whole(document, "power_on_time", "minutes")
        ),
        power_cycles=first_known(
            tree.whole(document, "power_cycle_count"),
            tree.whole(document, "scsi_start_stop_cycle_counter", "accumulated_start_stop_cycles"),
        ),
        wear_ratio=first_known(
            tree.percent(document, "scsi_percentage_used_endurance_indicator"),
            tree.percent(document, "endurance_used", "current_percent"),
        ),
        reallocated_sectors=tree.whole(document, "scsi_grown_defect_list"),
        pending_sectors=tree.whole(document, "scsi_pending_defects", "count"),
        media_errors=_media_errors(document),
    )


def _media_errors(document: tree.Tree) -> int | None:
    counters = [tree.at(document, _COUNTERS, name) for name in ("read", "write", "verify")]
    return total(tree.whole(each, "total_uncorrected_errors") for each in counters if each is not None)


def self_tests(document: tree.Tree, power_on: int | None) -> tuple[str | None, tuple[SelfTest, ...] | None]:
    """Return no words (SCSI has none), and the log with a running test first."""
    entries = [tree.at(document, f"scsi_self_test_{number}") for number in range(_TESTS)]
    log: tuple[SelfTest, ...] | None = tuple(_entry(item, power_on) for item in entries if item is not None)
    status = tree.at(document, "scsi_self_test_status")
    if not log and status is None:
        log = None
    current = None
    if tree.flag(status, "in_progress"):
        done = tree.whole(status, "completion_percent")
        current = selftests.entry(Protocol.SCSI, "", "", result=SelfTestResult.IN_PROGRESS, done=done)
    return None, selftests.with_current(log, current)


def _entry(item: object, power_on: int | None) -> SelfTest:
    running = tree.flag(item, "self_test_in_progress")
    said = clean(tree.text(item, "result", "string") or "")
    ended = selftests.agreed(Protocol.SCSI, tree.whole(item, "result", "value"), said)
    return selftests.entry(
        Protocol.SCSI,
        clean(tree.text(item, "code", "string") or ""),
        said,
        result=SelfTestResult.IN_PROGRESS if running else ended,
        at_hours=tree.whole(item, "power_on_time", "hours"),
        power_on=power_on,
        lba=tree.whole(item, "lba_first_failure", "value"),
    )
