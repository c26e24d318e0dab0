"""smartctl's JSON: every kind of disk, what it prints of each, and what a missing part means."""

from __future__ import annotations

from typing import Any

import pytest

from bkp.disk_health.attached import read_attached
from bkp.disk_health.model import (
    CriticalWarning,
    DiskHealth,
    ExitBit,
    Health,
    PowerState,
    Protocol,
)
from tests.support.smartctl_outputs import RELEASES, ata, attribute, nvme, reading, recorded, scsi


def _smartctl(status: object, *messages: str) -> dict[str, object]:
    return {"exit_status": status, "messages": [{"string": text, "severity": "information"} for text in messages]}


def test_a_sata_disk_is_read_whole() -> None:
    found = reading(ata())
    assert (found.protocol, found.interface, found.device) == (Protocol.ATA, "sat", "/dev/sda")
    assert (found.health, found.passed, found.power) == (Health.PASSED, True, PowerState.ACTIVE)
    assert found.identity.stable_id == "0x50000c00a1b2c3d4"
    assert (found.identity.capacity_bytes, found.identity.rotation_rpm) == (8001563222016, 7200)
    assert found.exit_bits == ()
    assert found.values.power_on_seconds == 44321 * 3600 + 12 * 60
    assert (found.values.temperature_celsius, found.values.error_log_count) == (41, 4)
    assert (found.failing_now, found.failed_before) == ((), ())


def test_an_nvme_disk_is_read_whole() -> None:
    found = reading(nvme())
    assert (found.protocol, found.health, found.critical_warnings) == (Protocol.NVME, Health.PASSED, ())
    assert found.identity.stable_id == "eui.00c0ff12345678ab"
    assert (found.identity.capacity_bytes, found.identity.rotation_rpm) == (2000398934016, 0)
    assert (found.values.wear_ratio, found.values.spare_ratio, found.values.spare_threshold_ratio) == (0.07, 1.0, 0.1)
    assert (found.values.media_errors, found.values.unsafe_shutdowns, found.values.error_log_count) == (0, 10, 5)


def test_a_sas_disk_is_read_whole() -> None:
    found = reading(scsi())
    assert (found.protocol, found.health, found.identity.model) == (Protocol.SCSI, Health.PASSED, "NWIND FREIGHT-900")
    assert found.identity.stable_id == "0x5000c0ff00112233"
    assert (found.values.reallocated_sectors, found.values.media_errors) == (3, 3)
    assert found.values.power_on_seconds == 16004 * 3600 + 18 * 60


@pytest.mark.parametrize("garbled", [{}, {"total_uncorrected_errors": "many"}, 7])
def test_a_counter_of_a_sas_disk_that_cannot_be_read_leaves_their_sum_open(garbled: object) -> None:
    counters = {"read": garbled, "write": {"total_uncorrected_errors": 0}}
    assert reading(scsi(scsi_error_counter_log=counters)).values.media_errors is None


def test_nvme_behind_a_usb_bridge_is_told_by_its_protocol() -> None:
    found = reading(nvme(device={"name": "/dev/sdb", "type": "sntasmedia", "protocol": "NVMe"}))
    assert (found.interface, found.protocol, found.values.wear_ratio) == ("sntasmedia", Protocol.NVME, 0.07)


def test_sata_behind_a_raid_controller_is_told_by_its_protocol() -> None:
    found = reading(ata(device={"name": "/dev/sda", "type": "sat+megaraid,1", "protocol": "ATA"}))
    assert (found.interface, found.protocol, found.values.reallocated_sectors) == ("sat+megaraid,1", Protocol.ATA, 0)


@pytest.mark.parametrize("mode", ["STANDBY", "STANDBY BY COMMAND", "STANDBY_Y BY TIMER", "STANDBY (OS)", "SLEEP"])
def test_bit_one_with_its_message_is_a_sleeping_disk(mode: str) -> None:
    found = reading(ata(smartctl=_smartctl(2, f"Device is in {mode} mode, exit(2)"), smart_status=None))
    assert (found.power, found.power_said, found.exit_bits) == (PowerState.ASLEEP, mode, ())
    assert (found.health, found.exit_status) == (Health.UNKNOWN, 2)


def test_a_sleeping_disk_may_end_with_a_number_of_the_callers() -> None:
    found = reading(ata(smartctl=_smartctl(9, "Device is in STANDBY mode, exit(9)"), smart_status=None))
    assert (found.power, found.exit_bits, found.health) == (PowerState.ASLEEP, (), Health.UNKNOWN)


def test_a_sleeping_disks_exit_status_excuses_no_other() -> None:
    found = reading(ata(smartctl=_smartctl(10, "Device is in STANDBY mode, exit(2)"), smart_status=None))
    assert (found.exit_bits, found.health) == ((ExitBit.DISK_FAILING,), Health.FAILED)


def test_bit_one_with_the_power_mode_alone_is_a_sleeping_disk() -> None:
    mode = {"ata_value": 0, "ata_string": "STANDBY"}
    found = reading({"smartctl": _smartctl(2), "power_mode": mode, "device": {"protocol": "ATA"}})
    assert (found.power, found.exit_bits, found.health) == (PowerState.ASLEEP, (), Health.UNKNOWN)


def test_bit_one_without_its_message_is_a_failed_open() -> None:
    found = reading({"smartctl": _smartctl(2, "Smartctl open device: /dev/sdb failed: No such device")})
    assert (found.power, found.exit_bits, found.health) == (PowerState.UNKNOWN, (ExitBit.OPEN_FAILED,), Health.UNKNOWN)


def test_an_idle_disk_that_was_left_alone_is_not_asleep_and_not_healthy() -> None:
    found = reading(ata(smartctl=_smartctl(2, "Device is in IDLE_B mode, exit(2)")))
    assert (found.power, found.health) == (PowerState.ACTIVE, Health.UNKNOWN)


@pytest.mark.parametrize("status", [1, 2, 4, 6, 68])
def test_what_could_not_be_read_is_never_healthy(status: int) -> None:
    found = reading(ata(smartctl=_smartctl(status)))
    assert (found.passed, found.health) == (True, Health.UNKNOWN)


@pytest.mark.parametrize("status", [0, 32, 64, 128, 192])
def test_a_log_of_old_errors_does_not_overrule_the_disk(status: int) -> None:
    assert reading(ata(smartctl=_smartctl(status))).health is Health.PASSED


def test_every_bit_has_its_name() -> None:
    found = reading(ata(smartctl=_smartctl(216)))
    wanted = (ExitBit.DISK_FAILING, ExitBit.PREFAIL_ATTRIBUTES, ExitBit.ERROR_LOG, ExitBit.SELF_TEST_LOG)
    assert (found.exit_bits, found.health) == (wanted, Health.FAILED)


def test_of_two_exit_statuses_the_worse_counts() -> None:
    found = reading(ata(), ended_with=8)
    assert (found.exit_status, found.health) == (8, Health.FAILED)


@pytest.mark.parametrize("status", ["8", 256, -1, True, 1.5])
def test_an_exit_status_that_cannot_be_one_leaves_the_health_open(status: object) -> None:
    found = reading(ata(smartctl=_smartctl(status)))
    assert (found.exit_bits, found.health) == (None, Health.UNKNOWN)


@pytest.mark.parametrize("ended_with", [-9, 256])
def test_a_smartctl_that_was_killed_leaves_the_health_open(ended_with: int) -> None:
    assert reading(ata(), ended_with=ended_with).health is Health.UNKNOWN


@pytest.mark.parametrize("status", [0, 4])
def test_a_check_of_attributes_is_told_apart_from_the_disks_word(status: int) -> None:
    found = reading(ata(smartctl=_smartctl(status, "Warning: This result is based on an Attribute check.")))
    assert (found.health_from_attributes, found.health) == (True, Health.UNKNOWN)


def test_without_a_statement_the_health_is_unknown() -> None:
    assert reading(ata(smart_status=None)).health is Health.UNKNOWN
    assert reading(ata(smart_status={"passed": None})).health is Health.UNKNOWN


def test_a_prefail_attribute_that_fails_now_overrules_the_disks_word() -> None:
    rows = [attribute(5, "Reallocated_Sector_Ct", raw="900", prefail=True, when_failed="now")]
    found = reading(ata(ata_smart_attributes={"table": rows}))
    assert (found.health, found.failing_now) == (Health.FAILED, ("Reallocated_Sector_Ct",))


def test_an_old_age_attribute_that_fails_now_is_only_named() -> None:
    rows = [attribute(9, "Power_On_Hours", raw="90000", when_failed="now")]
    found = reading(ata(ata_smart_attributes={"table": rows}))
    assert (found.health, found.failing_now) == (Health.PASSED, ("Power_On_Hours",))


def test_an_old_age_attribute_that_failed_once_is_only_named() -> None:
    rows = [attribute(190, "Airflow_Temperature_Cel", raw="39 (Min/Max 21/59)", when_failed="past")]
    found = reading(ata(ata_smart_attributes={"table": rows}))
    assert (found.health, found.failing_now, found.failed_before) == (Health.PASSED, (), ("Airflow_Temperature_Cel",))


@pytest.mark.parametrize("remark", ["nw", 1, ["now"], {"a": 1}])
def test_a_remark_that_nobody_knows_is_a_doubt(remark: object) -> None:
    rows = [attribute(5, "Reallocated_Sector_Ct", raw="0", when_failed=remark)]
    found = reading(ata(ata_smart_attributes={"table": rows}))
    assert (found.health, found.failed_before) == (Health.UNKNOWN, ("Reallocated_Sector_Ct",))


def test_an_attribute_at_its_threshold_without_a_remark_is_a_doubt() -> None:
    rows = [attribute(5, "Reallocated_Sector_Ct", raw="2000", value=10, prefail=True)]
    assert reading(ata(ata_smart_attributes={"table": rows})).health is Health.UNKNOWN


@pytest.mark.parametrize(
    "part",
    [
        {"ata_smart_attributes": "x"},
        {"ata_smart_attributes": []},
        {"ata_smart_self_test_log": True},
        {"ata_smart_attributes": {"table": [{"id": "x"}]}},
        {"device": {"name": "/dev/sda", "type": "sat"}},  # nobody knows how to read it
    ],
)
def test_a_part_that_is_there_and_cannot_be_read_leaves_the_health_open(part: dict[str, object]) -> None:
    assert reading(ata(**part)).health is Health.UNKNOWN


@pytest.mark.parametrize("said", [{"available": True, "enabled": False}, {"available": False}])
def test_a_disk_whose_smart_is_off_vouches_for_nothing(said: dict[str, bool]) -> None:
    assert reading(ata(smart_support=said)).health is Health.UNKNOWN


def test_a_disks_statistics_and_its_log_of_defects_count_where_its_attributes_say_less() -> None:
    def page(name: str, value: int) -> dict[str, Any]:
        return {"table": [{"name": name, "value": value, "flags": {"valid": True}}]}

    pages = [page("Number of Reallocated Logical Sectors", 55), page("Number of Reported Uncorrectable Errors", 7)]
    document = ata(ata_device_statistics={"pages": pages}, ata_pending_defects_log={"size": 1, "count": 9})
    values = reading(document).values
    assert (values.reallocated_sectors, values.media_errors, values.pending_sectors) == (55, 7, 9)
    assert reading(scsi(scsi_pending_defects={"count": 12})).values.pending_sectors == 12


def test_an_attribute_without_a_threshold_never_failed() -> None:
    row = {"id": 5, "name": "Reallocated_Sector_Ct", "value": 100, "raw": {"value": 3, "string": "3"}}
    found = reading(ata(ata_smart_attributes={"table": [row]}))
    assert (found.health, found.values.reallocated_sectors, found.failing_now) == (Health.PASSED, 3, ())


def test_a_row_that_cannot_be_read_leaves_open_what_fails() -> None:
    found = reading(ata(ata_smart_attributes={"table": [attribute(5, "Reallocated_Sector_Ct", raw="0"), {"id": "x"}]}))
    assert (found.failing_now, found.failed_before) == (None, None)


def test_the_counter_is_what_smartctl_prints_first_of_a_packed_number() -> None:
    rows = [attribute(5, "Reallocated_Sector_Ct", raw="12 (3 4)"), attribute(199, "UDMA_CRC_Error_Count", raw="7")]
    found = reading(ata(ata_smart_attributes={"table": rows})).values
    assert (found.reallocated_sectors, found.crc_errors, found.pending_sectors) == (12, 7, None)


def test_a_counter_too_large_to_be_one_is_unknown() -> None:
    rows = [attribute(197, "Current_Pending_Sector", raw="281470681743360")]
    assert reading(ata(ata_smart_attributes={"table": rows})).values.pending_sectors is None


def test_of_an_attribute_that_is_there_twice_the_worse_counts() -> None:
    rows = [attribute(5, "Reallocated_Sector_Ct", raw="0"), attribute(5, "Reallocated_Sector_Ct", raw="9")]
    assert reading(ata(ata_smart_attributes={"table": rows})).values.reallocated_sectors == 9


@pytest.mark.parametrize(
    ("raw", "seconds"),
    [
        ("44321", 44321 * 3600),
        ("44321 (203 17 0)", 44321 * 3600),
        ("8123h+41m", 8123 * 3600 + 41 * 60),
        ("8123h+41m+20.480s", 8123 * 3600 + 41 * 60 + 20),
        ("187170394567345", None),
        ("12.5", None),
        ("", None),
    ],
)
def test_power_on_time_is_read_in_every_encoding(raw: str, seconds: int | None) -> None:
    rows = [attribute(9, "Power_On_Hours", raw=raw)]
    found = reading(ata(power_on_time=None, ata_smart_attributes={"table": rows}))
    assert found.values.power_on_seconds == seconds


def test_the_disks_own_temperature_comes_before_the_airs() -> None:
    air = attribute(190, "Airflow_Temperature_Cel", raw="30 (Min/Max 20/31)")
    own = attribute(194, "Temperature_Celsius", raw="41 (0 14 0 0 0)")
    for rows, wanted in (([air, own], 41), ([air], 30), ([attribute(190, "Unknown_Attribute", raw="64")], None)):
        found = reading(ata(temperature=None, ata_smart_attributes={"table": rows}))
        assert found.values.temperature_celsius == wanted


def test_a_scsi_disk_without_a_thermometer_has_no_temperature() -> None:
    assert reading(scsi(temperature={"current": 0, "drive_trip": 0})).values.temperature_celsius is None
    assert reading(scsi(temperature={"current": 0, "drive_trip": 60})).values.temperature_celsius == 0


@pytest.mark.parametrize(
    ("row", "known", "wear"),
    [
        (attribute(233, "Media_Wearout_Indicator", raw="0", value=87), True, 0.13),
        (attribute(231, "SSD_Life_Left", raw="90", value=100), True, 0.1),
        (attribute(202, "Percent_Lifetime_Remain", raw="5", value=95), True, 0.05),
        (attribute(177, "Wear_Leveling_Count", raw="900", value=98), True, None),
        (attribute(233, "Media_Wearout_Indicator", raw="65406", value=100), False, None),
        (attribute(231, "SSD_Life_Left", raw="0", value=200), True, None),
    ],
)
def test_wear_is_taken_only_where_the_meaning_is_sure(row: object, known: bool, wear: float | None) -> None:
    found = reading(ata(in_smartctl_database=known, ata_smart_attributes={"table": [row]}))
    assert found.values.wear_ratio == wear


def test_samsungs_wear_levelling_counts_down_from_a_hundred() -> None:
    rows = {"table": [attribute(177, "Wear_Leveling_Count", raw="129", value=98)]}
    assert reading(ata(model_family="Samsung based SSDs", ata_smart_attributes=rows)).values.wear_ratio == 0.02


def test_the_disks_statistics_tell_the_wear_of_any_maker() -> None:
    pages = [{"number": 7, "table": [{"name": "Percentage Used Endurance Indicator", "value": 19}]}]
    found = reading(ata(in_smartctl_database=False, ata_device_statistics={"pages": pages}))
    assert found.values.wear_ratio == 0.19


@pytest.mark.parametrize(("used", "wear"), [(0, 0.0), (100, 1.0), (131, 1.31), (255, 2.55), (256, None), (-1, None)])
def test_an_nvme_disk_may_be_worn_beyond_its_promise(used: int, wear: float | None) -> None:
    assert reading(nvme(log={"percentage_used": used})).values.wear_ratio == wear


def test_each_critical_warning_has_its_name_and_fails_the_disk() -> None:
    for bit, name in enumerate(CriticalWarning):
        found = reading(nvme(log={"critical_warning": 1 << bit}))
        assert (found.critical_warnings, found.health) == ((name,), Health.FAILED)
    assert reading(nvme(smart_status={"passed": True, "nvme": {"value": 8}})).health is Health.FAILED


def test_messages_are_few_short_and_printable() -> None:
    found = reading(ata(smartctl=_smartctl(0, *(f"{number}\x1b[31m" + "x" * 999 for number in range(99)))))
    assert len(found.messages) == 20
    assert all(len(text) <= 300 and text.isprintable() for text in found.messages)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize(
    ("name", "health", "protocol"),
    [
        # -x asks for logs that these disks do not have: bit 2, so not everything was read
        ("sata-hdd", Health.UNKNOWN, Protocol.ATA),
        ("sata-ssd", Health.UNKNOWN, Protocol.ATA),
        ("sata-standby-checked", Health.PASSED, Protocol.ATA),
        ("nvme", Health.PASSED, Protocol.NVME),
        ("nvme-failing", Health.FAILED, Protocol.NVME),
        ("scsi", Health.UNKNOWN, Protocol.SCSI),
        ("sata-selftest-log", Health.UNKNOWN, Protocol.ATA),
        ("no-such-device", Health.UNKNOWN, None),
        ("virtio", Health.UNKNOWN, None),
    ],
)
def test_the_labs_disks_are_read_as_they_are(release: str, name: str, health: Health, protocol: Protocol) -> None:
    stdout, status = recorded(release, name)
    found = read_attached(stdout, ended_with=status)
    assert isinstance(found, DiskHealth)
    assert (found.health, found.protocol, found.exit_status) == (health, protocol, status)
