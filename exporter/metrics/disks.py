"""Each disk that is configured or was found: its health, what it measures and counts, its self-tests."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from bkp.config.storage import Disk
from bkp.disk_health.model import CriticalWarning, DiskHealth, ExitBit, Health, SelfTest, SelfTestResult, Values
from bkp.disk_health.selftests import newest_of_each_kind
from bkp.inventory import DiskEntry
from bkp.observations import DiskSeen
from exporter.metrics.metric import MAX_PARTS, Labels, Metric, MetricSection, Table, Value, label_text
from exporter.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterator

_ABSENT = "the disk does not tell, or was never seen awake"


def _disks(model: Model) -> Iterator[tuple[Labels, DiskEntry]]:
    for entry in model.inventory.disks[:MAX_PARTS]:
        yield (label_text(entry.name),), entry


def _settings(model: Model) -> Iterator[tuple[Labels, Disk]]:
    for labels, entry in _disks(model):
        if entry.settings is not None:
            yield labels, entry.settings


def _pools(model: Model) -> Iterator[tuple[Labels, int]]:
    for labels, entry in _disks(model):
        for pool in entry.pools:
            yield (*labels, label_text(pool)), 1


def _seen(model: Model) -> Iterator[tuple[Labels, DiskSeen]]:
    for labels, entry in _disks(model):
        if entry.seen is not None:
            yield labels, entry.seen


def _health(model: Model) -> Iterator[tuple[Labels, DiskHealth]]:
    for labels, seen in _seen(model):
        if seen.health is not None:
            yield labels, seen.health


def _values(model: Model) -> Iterator[tuple[Labels, Values]]:
    for labels, health in _health(model):
        yield labels, health.values


def _exit_bits(model: Model) -> Iterator[tuple[Labels, bool]]:
    for labels, health in _health(model):
        if health.exit_bits is not None:
            for bit in ExitBit:
                yield (*labels, bit.value), bit in health.exit_bits


def _warnings(model: Model) -> Iterator[tuple[Labels, bool]]:
    for labels, health in _health(model):
        if health.critical_warnings is not None:
            for warning in CriticalWarning:
                yield (*labels, warning.value), warning in health.critical_warnings


def _tests(model: Model) -> Iterator[tuple[Labels, SelfTest]]:
    """Yield the newest self-test of each kind."""
    for labels, health in _health(model):
        for kind, test in newest_of_each_kind(health.self_tests or ()).items():
            yield (*labels, kind.value), test


def _present(entry: DiskEntry) -> Value:
    if entry.missing:
        return False
    return True if entry.current else None


def _asleep(entry: DiskEntry) -> Value:
    return entry.seen.asleep if entry.current and entry.seen is not None else None


def _info(health: DiskHealth) -> Labels:
    told = health.identity
    protocol = health.protocol.value if health.protocol is not None else ""
    return (label_text(told.model or ""), label_text(told.serial or ""), label_text(told.firmware or ""), protocol)


SECTION = MetricSection[Model](
    "disks",
    "Disks",
    "By their configured name; one that nobody configured by the name that smartctl gives it. What the configuration"
    " names is always here. A sleeping disk is left asleep: its values are those of"
    " `bkp_disk_values_timestamp_seconds`. The limits come from the configuration.",
    Table[Model, DiskEntry](
        ("disk",),
        _disks,
        Metric(
            "bkp_disk_health",
            "Health of the disk as it is known now, by its own word and every sign against it: 1 for the one that"
            " holds, 0 for the others. unknown too if the last look did not see it, or is too long ago.",
            "observed/disks.json: health.health",
            lambda entry: entry.health.value,
            labels=("state",),
            states=tuple(Health),
            absent="there is no such disk",
        ),
        Metric(
            "bkp_disk_present",
            "1 if the disk is there, 0 if its path leads nowhere.",
            "observed/disks.json: real_path",
            _present,
            absent="the last look could not tell, or is too long ago",
        ),
        Metric(
            "bkp_disk_asleep",
            "1 if the disk slept at the last look, and was not woken.",
            "observed/disks.json: asleep",
            _asleep,
            absent="the last look could not tell, or is too long ago",
        ),
        Metric(
            "bkp_disk_configured",
            "1 if the configuration names the disk, 0 if it was only found.",
            "configuration: disks",
            lambda entry: entry.settings is not None,
            absent="there is no such disk",
        ),
    ),
    Table[Model, Disk](
        ("disk",),
        _settings,
        Metric(
            "bkp_disk_temperature_warning_celsius",
            "Temperature from which on there is a warning.",
            "configuration: disks.DISK.temperature_warning",
            lambda settings: settings.temperature_warning,
        ),
        Metric(
            "bkp_disk_temperature_critical_celsius",
            "Temperature from which on it is critical.",
            "configuration: disks.DISK.temperature_critical",
            lambda settings: settings.temperature_critical,
        ),
        Metric(
            "bkp_disk_wear_warning_ratio",
            "Share of the promised writes from which on there is a warning.",
            "configuration: disks.DISK.wear_warning",
            lambda settings: settings.wear_warning,
        ),
        absent="the configuration does not name the disk",
    ),
    Table[Model, int](
        ("disk", "pool"),
        _pools,
        Metric(
            "bkp_disk_of_pool",
            "1 for each pool that the disk belongs to, by the configuration or by the pool's devices.",
            "configuration: pools.POOL.disks; observed/pools.json: devices",
            lambda one: one,
            absent="it belongs to none that is known",
        ),
    ),
    Table[Model, DiskSeen](
        ("disk",),
        _seen,
        Metric(
            "bkp_disk_values_timestamp_seconds",
            "Time when the disk told its values; while it sleeps, the last time it was awake.",
            "observed/disks.json: health_at",
            lambda seen: seen.health_at,
        ),
        Metric(
            "bkp_disk_disagreements",
            "Things that smartctl and pySMART read differently.",
            "observed/disks.json: disagreements",
            lambda seen: len(seen.disagreements) if seen.second is not None and seen.second.error is None else None,
            absent="pySMART did not read the disk",
        ),
        absent=_ABSENT,
    ),
    Table[Model, DiskHealth](
        ("disk",),
        _health,
        Metric(
            "bkp_disk_info",
            "What the disk is. An empty label is not known.",
            "observed/disks.json: health.identity, health.protocol",
            _info,
            labels=("model", "serial", "firmware", "protocol"),
            absent=_ABSENT,
        ),
    ),
    Table[Model, bool](
        ("disk", "bit"),
        _exit_bits,
        Metric(
            "bkp_disk_exit_bit",
            "1 for each bit that was set in smartctl's exit status, 0 for the others.",
            "observed/disks.json: health.exit_bits",
            lambda found: found,
            absent="the exit status is not known",
        ),
    ),
    Table[Model, bool](
        ("disk", "warning"),
        _warnings,
        Metric(
            "bkp_disk_critical_warning",
            "1 for each critical warning that an NVMe disk gives, 0 for the others.",
            "observed/disks.json: health.critical_warnings",
            lambda found: found,
            absent="it is no NVMe disk, or does not tell",
        ),
    ),
    Table[Model, Values](
        ("disk",),
        _values,
        *(
            Metric[Values](f"bkp_disk_{name}", text, f"observed/disks.json: health.values.{field}", attrgetter(field))
            for name, text, field in (
                ("temperature_celsius", "Temperature of the disk.", "temperature_celsius"),
                ("power_on_seconds", "How long the disk has been switched on in its life.", "power_on_seconds"),
                ("power_cycles", "How often it was switched on.", "power_cycles"),
                ("wear_ratio", "Share of the promised writes that is used up; it may exceed 1.", "wear_ratio"),
                ("spare_ratio", "Share of the spare blocks that is left.", "spare_ratio"),
                (
                    "reallocated_sectors",
                    "Sectors that the disk replaced by spare ones; of a SCSI disk its grown defects.",
                    "reallocated_sectors",
                ),
                ("pending_sectors", "Sectors that cannot be read and wait to be written.", "pending_sectors"),
                (
                    "uncorrectable_sectors",
                    "Sectors that the disk itself found to be unreadable.",
                    "offline_uncorrectable_sectors",
                ),
                ("media_errors", "Reads and writes that could not be mended.", "media_errors"),
                ("crc_errors", "Errors between disk and host: the cable, mostly.", "crc_errors"),
                ("unsafe_shutdowns", "How often it lost power without notice.", "unsafe_shutdowns"),
            )
        ),
        absent=_ABSENT,
    ),
    Table[Model, SelfTest](
        ("disk", "test"),
        _tests,
        Metric(
            "bkp_disk_self_test_result",
            "Result of the newest self-test of each kind: 1 for the one that holds, 0 for the others.",
            "observed/disks.json: health.self_tests",
            lambda test: test.result.value,
            labels=("result",),
            states=tuple(SelfTestResult),
        ),
        Metric(
            "bkp_disk_self_test_powered_seconds",
            "For how long the disk was switched on since the newest self-test of each kind ended.",
            "observed/disks.json: health.self_tests.age_hours",
            lambda test: test.age_hours * 3600 if test.age_hours is not None else None,
        ),
        absent="the disk has no log of such tests, or its hours cannot be compared",
    ),
)
