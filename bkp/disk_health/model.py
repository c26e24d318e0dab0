"""What smartctl said of one disk. None is "not said": never zero, never good.

Numbers are the disk's own counters since it was made. `said` fields hold smartctl's own words.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=0)]


class Protocol(StrEnum):
    """The command set the disk speaks, whatever bridge or controller lies between (smartctl's `device.protocol`)."""

    ATA = "ata"
    NVME = "nvme"
    SCSI = "scsi"


class PowerState(StrEnum):
    """The state in which smartctl found the disk. `asleep` is standby or sleep.

    With `-n standby` a sleeping disk is left alone, and nothing but this is known of it. Without, reading wakes it.
    """

    ACTIVE = "active"
    ASLEEP = "asleep"
    UNKNOWN = "unknown"


class Health(StrEnum):
    """What the whole output comes to. `passed` needs the disk's own word and no sign against it."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"


class ExitBit(StrEnum):
    """The eight bits of smartctl's exit status, least first (smartctl(8), EXIT STATUS)."""

    COMMAND_LINE = "command_line"
    OPEN_FAILED = "open_failed"
    COMMAND_FAILED = "command_failed"
    DISK_FAILING = "disk_failing"
    PREFAIL_ATTRIBUTES = "prefail_attributes"
    PAST_ATTRIBUTES = "past_attributes"
    ERROR_LOG = "error_log"
    SELF_TEST_LOG = "self_test_log"


class CriticalWarning(StrEnum):
    """The bits of NVMe's critical warning, least first (NVMe base specification, SMART / health log)."""

    SPARE = "spare"
    TEMPERATURE = "temperature"
    RELIABILITY = "reliability"
    READ_ONLY = "read_only"
    VOLATILE_BACKUP = "volatile_backup"
    PERSISTENT_MEMORY = "persistent_memory"
    OTHER = "other"


class SelfTestKind(StrEnum):
    """What a self-test covers. `unknown` is a running test whose kind the disk does not tell."""

    SHORT = "short"
    LONG = "long"
    CONVEYANCE = "conveyance"
    OTHER = "other"
    UNKNOWN = "unknown"


class SelfTestResult(StrEnum):
    """How a self-test ended. Only `passed` and `failed` say something of the disk."""

    PASSED = "passed"
    FAILED = "failed"
    ABORTED = "aborted"
    INTERRUPTED = "interrupted"
    IN_PROGRESS = "in_progress"
    UNKNOWN = "unknown"


class _Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Readers ignore fields they do not know."""


class Identity(_Record, frozen=True, kw_only=True):
    """Which disk it is. `stable_id` is the WWN (`0x…`) or the EUI-64 (`eui.…`); it does not change with the cabling.

    `rotation_rpm` is 0 for a disk without moving parts. `smartctl_knows_model` is whether its names of the
    attributes are this model's, or guesses.
    """

    model: str | None = None
    family: str | None = None
    serial: str | None = None
    firmware: str | None = None
    stable_id: str | None = None
    capacity_bytes: Count | None = None
    rotation_rpm: Count | None = None
    smartctl_knows_model: bool | None = None


class Attribute(_Record, frozen=True, kw_only=True):
    """One row of an ATA disk's table. `value`, `worst` and `threshold` are normalised by the maker: less is worse.

    `raw` is the number that `raw_said` begins with. Without `failed_said`, nothing failed.
    """

    id: int
    name: str
    value: int | None = None
    worst: int | None = None
    threshold: int | None = None
    prefail: bool | None = None
    failed_said: str | None = None
    raw: int | None = None
    raw_said: str | None = None


class SelfTest(_Record, frozen=True, kw_only=True):
    """One entry of the self-test log. `age_hours` counts hours the disk was powered since then."""

    kind: SelfTestKind
    result: SelfTestResult
    kind_said: str = ""
    result_said: str = ""
    at_power_on_hours: Count | None = None
    age_hours: Count | None = None
    first_bad_lba: Count | None = None
    percent_done: Annotated[int, Meta(ge=0, le=100)] | None = None


class Values(_Record, frozen=True, kw_only=True):
    """What the disk measures and counts.

    `wear_ratio` is the share of the promised writes that is used up: 0 is new, 1 is all; NVMe may say up to 2.55.
    `spare_ratio` is what is left of the spare blocks. `reallocated_sectors` of a SCSI disk is its grown defect list.
    `media_errors` are reads or writes that could not be mended.
    """

    temperature_celsius: int | None = None
    power_on_seconds: Count | None = None
    power_cycles: Count | None = None
    wear_ratio: float | None = None
    reallocated_sectors: Count | None = None
    pending_sectors: Count | None = None
    offline_uncorrectable_sectors: Count | None = None
    crc_errors: Count | None = None
    media_errors: Count | None = None
    unsafe_shutdowns: Count | None = None
    error_log_count: Count | None = None
    spare_ratio: float | None = None
    spare_threshold_ratio: float | None = None


class DiskHealth(_Record, frozen=True, kw_only=True):
    """One disk as one call of smartctl shows it.

    `passed` is what the disk says of itself. `health` is that, weighed with everything else that was printed.
    `health_from_attributes`: the disk did not answer, and smartctl looked at its attributes instead.
    `exit_bits` is None where the exit status is not known. `attributes`, `self_tests` and `critical_warnings` are
    None where the output does not hold them, or not whole where an empty list would look like a good one.
    A running self-test stands first. `failing_now` and `failed_before` are names of attributes.
    The minutes are how long the disk itself says that a test takes.
    """

    device: str | None = None
    interface: str | None = None
    protocol: Protocol | None = None
    smartctl_version: str | None = None
    identity: Identity = Identity()
    power: PowerState = PowerState.UNKNOWN
    power_said: str | None = None
    smart_available: bool | None = None
    smart_enabled: bool | None = None
    health: Health = Health.UNKNOWN
    passed: bool | None = None
    health_said: str | None = None
    health_from_attributes: bool = False
    exit_status: int | None = None
    exit_bits: tuple[ExitBit, ...] | None = None
    values: Values = Values()
    critical_warning: int | None = None
    critical_warnings: tuple[CriticalWarning, ...] | None = None
    attributes: tuple[Attribute, ...] | None = None
    failing_now: tuple[str, ...] | None = None
    failed_before: tuple[str, ...] | None = None
    self_test_status_said: str | None = None
    self_tests: tuple[SelfTest, ...] | None = None
    self_tests_supported: bool | None = None
    short_test_minutes: Count | None = None
    long_test_minutes: Count | None = None
    messages: tuple[str, ...] = ()


class ScannedDevice(_Record, frozen=True, kw_only=True):
    """One line of `smartctl --scan-open`. `open_error` is why smartctl could not open it; None where it could."""

    name: str
    interface: str
    protocol: Protocol | None = None
    description: str = ""
    open_error: str | None = None


class Unknown(_Record, frozen=True, kw_only=True):
    """Nothing could be read. `reason` is one clause for people."""

    reason: str
