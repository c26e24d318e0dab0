"""The parts of smartctl's JSON that only NVMe disks have."""

from __future__ import annotations

from bkp.disk_health import selftests
from bkp.disk_health.as_json import tree
from bkp.disk_health.model import Protocol, SelfTest, SelfTestResult, Values
from bkp.disk_health.words import clean, first_known, hours_to_seconds, plausible_celsius

_LOG = "nvme_smart_health_information_log"
_TESTS = "nvme_self_test_log"


def critical_warning(document: tree.Tree) -> int | None:
    """Return the bits of both places that hold them; None where neither does."""
    found = [tree.whole(document, _LOG, "critical_warning"), tree.whole(document, "smart_status", "nvme", "value")]
    known = [value for value in found if value is not None]
    return known[0] | known[-1] if known else None


def values(document: tree.Tree) -> Values:
    """Return what an NVMe disk measures."""
    celsius = first_known(tree.signed(document, "temperature", "current"), tree.signed(document, _LOG, "temperature"))
    hours = first_known(tree.whole(document, _LOG, "power_on_hours"), tree.whole(document, "power_on_time", "hours"))
    return Values(
        temperature_celsius=plausible_celsius(celsius),
        power_on_seconds=hours_to_seconds(hours),
        power_cycles=first_known(tree.whole(document, _LOG, "power_cycles"), tree.whole(document, "power_cycle_count")),
        wear_ratio=tree.percent(document, _LOG, "percentage_used"),
        media_errors=tree.whole(document, _LOG, "media_errors"),
        unsafe_shutdowns=tree.whole(document, _LOG, "unsafe_shutdowns"),
        error_log_count=tree.whole(document, _LOG, "num_err_log_entries"),
        spare_ratio=tree.percent(document, _LOG, "available_spare"),
        spare_threshold_ratio=tree.percent(document, _LOG, "available_spare_threshold"),
    )


def self_tests(document: tree.Tree, power_on: int | None) -> tuple[str | None, tuple[SelfTest, ...] | None]:
    """Return what runs in smartctl's words, and the log with a running test first."""
    said = tree.text(document, _TESTS, "current_self_test_operation", "string")
    found = tree.rows(document, _TESTS, "table")
    log: tuple[SelfTest, ...] | None = None
    if found is not None:
        # the list has a null for every slot of the disk's log that is not in use
        log = tuple(_entry(item, power_on) for item in found if item is not None)
    elif isinstance(tests := tree.at(document, _TESTS), dict) and "table" not in tests:
        log = ()
    return said, selftests.with_current(log, _current(document, said))


def _current(document: tree.Tree, said: str | None) -> SelfTest | None:
    operation = tree.whole(document, _TESTS, "current_self_test_operation", "value")
    if not operation:
        return None
    done = tree.whole(document, _TESTS, "current_self_test_completion_percent")
    words = clean(said or "")
    return selftests.entry(Protocol.NVME, words, words, result=SelfTestResult.IN_PROGRESS, done=done)


def _entry(item: object, power_on: int | None) -> SelfTest:
    said = clean(tree.text(item, "self_test_result", "string") or "")
    return selftests.entry(
        Protocol.NVME,
        clean(tree.text(item, "self_test_code", "string") or ""),
        said,
        result=selftests.agreed(Protocol.NVME, tree.whole(item, "self_test_result", "value"), said),
        at_hours=tree.whole(item, "power_on_hours"),
        power_on=power_on,
        lba=tree.whole(item, "lba"),
    )
