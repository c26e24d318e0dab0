"""Concerns about disks: gone, unknown, failing, wearing out, too hot, or read in two ways that differ."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bkp.concerns.model import Concern
from bkp.disk_health.model import ExitBit, Health, SelfTestResult
from bkp.disk_health.selftests import ABORTED_OFTEN, aborted_in_a_row, has_hidden_failure, newest_of_each_kind
from bkp.quantities import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from bkp.concerns.model import ConcernSeverity
    from bkp.config.storage import Disk
    from bkp.disk_health.model import DiskHealth, SelfTest
    from bkp.inventory import DiskEntry, Inventory
    from bkp.observations import DiskSeen
    from bkp.state.observed import Part

_LEAST_SPARE = 0.1  # for a disk that does not tell from where on it warns itself
_HOUR = timedelta(hours=1)
_REPLACE = "keep a copy of what is on it elsewhere, and replace the disk"


def concerns(inventory: Inventory, now: datetime) -> Iterator[Concern]:
    """Yield them."""
    for entry in inventory.disks:
        if entry.settings is None:
            yield _unconfigured(entry)
            continue
        if entry.missing:
            yield _missing(entry, entry.settings)
        if entry.part is not None:
            yield from _configured(entry, entry.settings, entry.part, now)


def _unconfigured(entry: DiskEntry) -> Concern:
    seen = entry.seen
    failing = seen is not None and seen.health is not None and seen.health.health is Health.FAILED
    said = f" ({seen.health.identity.model})" if seen and seen.health and seen.health.identity.model else ""
    why = f"nobody configured it{said}" + ("; it says that it fails" if failing else "")
    remedy = "add it to `disks` in the configuration, by its path below /dev/disk/by-id"
    return _about(entry, "disk_unconfigured", "warning" if failing else "info", why, remedy)


def _missing(entry: DiskEntry, settings: Disk) -> Concern:
    why = f"it is not there: {settings.path} leads to no device"
    remedy = "see whether it is plugged in and has power; if it was replaced, correct its path"
    return _about(entry, "disk_missing", "critical", why, remedy)


def _configured(entry: DiskEntry, settings: Disk, part: Part[DiskSeen], now: datetime) -> Iterator[Concern]:
    seen = part.value
    if entry.missing:
        return
    if part.error is not None or seen is None:
        why = f"it cannot be seen: {part.error or 'nothing was seen'}"
        yield _about(entry, "disk_unknown", "warning", why, _ask(settings), part.seen_at)
    if seen is None:
        return
    health = seen.health
    if health is None:
        asleep = "it slept at every look" if seen.asleep else "smartctl told nothing of it"
        yield _about(entry, "disk_unknown", "warning", f"its health is not known: {asleep}", _ask(settings))
        return
    yield from _verdict(entry, settings, health)
    yield from _counters(entry, settings, health)
    if not seen.asleep and part.error is None:  # else nobody knows how hot it is now
        yield from _temperature(entry, settings, health)
    yield from _self_tests(entry, health)
    yield from _untested(entry, settings, health, now - seen.health_at if seen.health_at else timedelta())
    yield from _aborted(entry, health)
    if seen.disagreements:
        first = seen.disagreements[0]
        more = f", and {len(seen.disagreements) - 1} more" if len(seen.disagreements) > 1 else ""
        words = f"{first.what}: smartctl says {first.smartctl}, pySMART {first.pysmart}{more}"
        yield _about(entry, "disk_disagrees", "warning", f"it is read in two ways that differ; {words}", _ask(settings))


def _verdict(entry: DiskEntry, settings: Disk, health: DiskHealth) -> Iterator[Concern]:
    failing = [
        *(f"critical warning {warning.value}" for warning in health.critical_warnings or ()),
        *(f"attribute {name} is below its threshold" for name in health.failing_now or ()),
    ]
    if health.health is Health.FAILED:
        said = f": {', '.join(failing)}" if failing else ""
        yield _about(entry, "disk_failing", "critical", f"it says that it fails{said}", _REPLACE)
    elif failing:  # a sign of use, not of a failure to come: else it would have failed
        yield _about(entry, "disk_failing", "warning", ", ".join(failing), "watch it; run a long self-test")
    if health.health is Health.UNKNOWN:
        said = f": {health.messages[0]}" if health.messages else ""
        yield _about(entry, "disk_unknown", "warning", f"its health is not told{said}", _ask(settings))
    if health.failed_before or ExitBit.PAST_ATTRIBUTES in (health.exit_bits or ()):
        names = f" ({', '.join(health.failed_before)})" if health.failed_before else ""
        why = f"an attribute of it was below its threshold once{names}"
        yield _about(entry, "disk_failing", "warning", why, "watch it; run a long self-test")


def _counters(entry: DiskEntry, settings: Disk, health: DiskHealth) -> Iterator[Concern]:
    values = health.values
    counts = {
        "reallocated sectors": values.reallocated_sectors,
        "pending sectors": values.pending_sectors,
        "uncorrectable sectors": values.offline_uncorrectable_sectors,
        "media errors": values.media_errors,
    }
    words = [f"{count} {what}" for what, count in counts.items() if count]
    if words:
        remedy = "scrub the pool and run a long self-test; replace the disk if the numbers grow"
        yield _about(entry, "disk_sectors", "warning", f"it has {', '.join(words)}", remedy)
    worn = []
    if values.wear_ratio is not None and values.wear_ratio >= settings.wear_warning:
        worn.append(f"{values.wear_ratio:.0%} of the promised writes are used up")
    spare, least = values.spare_ratio, values.spare_threshold_ratio
    if spare is not None and spare <= (_LEAST_SPARE if least is None else least):
        worn.append(f"only {spare:.0%} of its spare blocks are left")
    if worn:
        yield _about(entry, "disk_worn", "warning", " and ".join(worn), "replace the disk soon")


def _temperature(entry: DiskEntry, settings: Disk, health: DiskHealth) -> Iterator[Concern]:
    celsius = health.values.temperature_celsius
    if celsius is not None and celsius >= settings.temperature_warning:
        critical = celsius >= settings.temperature_critical
        limit = settings.temperature_critical if critical else settings.temperature_warning
        severity: ConcernSeverity = "critical" if critical else "warning"
        why = f"it has {celsius} °C; the limit is {limit} °C"
        yield _about(entry, "disk_hot", severity, why, "see to fans and air; stop what loads it")


def _self_tests(entry: DiskEntry, health: DiskHealth) -> Iterator[Concern]:
    judged = [test for test in health.self_tests or () if test.result in {SelfTestResult.PASSED, SelfTestResult.FAILED}]
    # a short one that passed outdoes no long one
    failed = [test for test in newest_of_each_kind(judged).values() if test.result is SelfTestResult.FAILED]
    if failed or has_hidden_failure(health):
        why = f"its last self-test failed: {', '.join(_test_words(test) for test in failed)}"
        why = why if failed else "smartctl found a failed self-test in its log, and does not show it"
        yield _about(entry, "disk_selftest_failed", "critical", why, _REPLACE)


def _untested(entry: DiskEntry, settings: Disk, health: DiskHealth, since: timedelta) -> Iterator[Concern]:
    """A disk in which no self-test passed for too long, whoever is to start them. `since`: since its log was read.

    Of one without a log, or which does not tell how long ago, nothing is known: the audit says so.
    """
    if health.self_tests is None:
        return
    passed = next((test for test in health.self_tests if test.result is SelfTestResult.PASSED), None)
    if passed is None:
        seconds = health.values.power_on_seconds
        why, age = "its log has none that passed", None if seconds is None else timedelta(seconds=seconds)
    else:
        why, age = "that was the last that passed", None if passed.age_hours is None else passed.age_hours * _HOUR
    if age is not None and age + since > settings.selftest_age:
        words = f"no self-test of it passed for {format_duration(age + since)} with power: {why}"
        remedy = f"`bkp-run selftest short --target {entry.name}` starts one; see what was to start them"
        yield _about(entry, "disk_selftest_old", "warning", words, remedy)


def _aborted(entry: DiskEntry, health: DiskHealth) -> Iterator[Concern]:
    count = aborted_in_a_row(health.self_tests or ())
    if count >= ABORTED_OFTEN:
        why = f"its last {count} self-tests were aborted or interrupted"
        why += ": probably its USB bridge resets it, or it is put to sleep meanwhile"
        remedy = "look at bridge, cable and power, and at what has it sleep (hd-idle, hdparm -S, the enclosure itself)"
        yield _about(entry, "disk_selftest_aborted", "warning", why, remedy)


def _test_words(test: SelfTest) -> str:
    place = f" at block {test.first_bad_lba}" if test.first_bad_lba is not None else ""
    age = f", {test.age_hours} powered hours ago" if test.age_hours is not None else ""
    return f"{test.kind.value} ({test.result_said or 'failed'}{place}{age})"


def _ask(settings: Disk) -> str:
    return f"`smartctl -x {settings.path}` says more"


def _about(
    entry: DiskEntry, kind: str, severity: ConcernSeverity, why: str, remedy: str, since: datetime | None = None
) -> Concern:
    name = f"disk {entry.name}"
    place = f" ({entry.place})" if entry.place else ""
    return Concern(kind, severity, name, f"{name}{place}: {why}", remedy, since)
