"""smartctl's text, as people attach it to reports: every kind of disk, and what the text does not say."""

from __future__ import annotations

import pytest

from bkp.disk_health.model import (
    CriticalWarning,
    Health,
    PowerState,
    Protocol,
    SelfTest,
    SelfTestKind,
    SelfTestResult,
)
from bkp.disk_health.words import grouped_number
from tests.support.smartctl_outputs import disk, written


def _short(tests: tuple[SelfTest, ...] | None) -> list[tuple[SelfTestKind, SelfTestResult, int | None]]:
    return [(test.kind, test.result, test.age_hours) for test in tests or ()]


def test_a_failing_sata_disk_is_read_whole() -> None:
    found = disk(written("sata-failing.txt"))
    assert (found.protocol, found.health, found.health_said) == (Protocol.ATA, Health.FAILED, "FAILED!")
    assert (found.smart_available, found.smart_enabled, found.smartctl_version) == (True, True, "7.3")
    assert found.identity.model == "NORTHWIND NW8000C-1B"
    assert found.identity.stable_id == "0x50000c00a1b2c3d4"
    assert (found.identity.capacity_bytes, found.identity.rotation_rpm) == (8001563222016, 7200)
    values = found.values
    assert (values.reallocated_sectors, values.pending_sectors, values.offline_uncorrectable_sectors) == (
        48216,
        1416,
        1415,
    )
    assert (values.temperature_celsius, values.power_on_seconds) == (41, 44321 * 3600)
    assert (values.crc_errors, values.media_errors, values.error_log_count) == (3, 312, 1204)
    assert found.failing_now == ("Reallocated_Sector_Ct",)
    assert found.failed_before == ("Airflow_Temperature_Cel",)
    assert (found.exit_status, found.exit_bits) == (None, None)


def test_a_failing_sata_disks_self_tests_are_read() -> None:
    tests = disk(written("sata-failing.txt")).self_tests
    assert _short(tests) == [
        (SelfTestKind.UNKNOWN, SelfTestResult.IN_PROGRESS, None),
        (SelfTestKind.LONG, SelfTestResult.FAILED, 21),
        (SelfTestKind.SHORT, SelfTestResult.ABORTED, 31),
        (SelfTestKind.CONVEYANCE, SelfTestResult.PASSED, 121),
        (SelfTestKind.OTHER, SelfTestResult.PASSED, 221),
    ]
    assert tests is not None
    assert (tests[0].percent_done, tests[1].first_bad_lba) == (10, 5839201144)


def test_the_brief_form_of_an_old_release_is_read() -> None:
    found = disk(written("sata-ssd-brief.txt"))
    assert (found.health, found.power, found.power_said) == (Health.PASSED, PowerState.ACTIVE, "ACTIVE or IDLE")
    assert (found.values.power_on_seconds, found.values.unsafe_shutdowns) == (8123 * 3600 + 41 * 60 + 20, 9)
    assert found.values.wear_ratio == 0.19
    assert (found.identity.rotation_rpm, found.identity.smartctl_knows_model) == (0, True)
    assert (found.failing_now, found.self_tests, found.values.error_log_count) == ((), (), 0)


def test_a_failing_nvme_disk_is_read_whole_in_a_german_locale() -> None:
    found = disk(written("nvme-failing.txt"))
    assert (found.protocol, found.health) == (Protocol.NVME, Health.FAILED)
    assert found.critical_warnings == (CriticalWarning.SPARE, CriticalWarning.RELIABILITY)
    assert found.identity.stable_id == "eui.00c0ff12345678ab"
    assert (found.identity.capacity_bytes, found.values.temperature_celsius) == (2000398934016, 57)
    values = found.values
    assert (values.spare_ratio, values.spare_threshold_ratio, values.wear_ratio) == (0.04, 0.1, 1.31)
    assert (values.power_on_seconds, values.power_cycles, values.media_errors) == (25809 * 3600, 1997, 1204)
    assert values.error_log_count == 12356
    assert _short(found.self_tests) == [
        (SelfTestKind.LONG, SelfTestResult.IN_PROGRESS, None),
        (SelfTestKind.LONG, SelfTestResult.FAILED, 19),
        (SelfTestKind.SHORT, SelfTestResult.INTERRUPTED, 109),
        (SelfTestKind.SHORT, SelfTestResult.ABORTED, 159),
        (SelfTestKind.LONG, SelfTestResult.PASSED, 809),
    ]
    assert found.self_tests is not None
    assert (found.self_tests[0].percent_done, found.self_tests[1].first_bad_lba) == (28, 90112233)


def test_blanks_that_were_squeezed_on_the_way_change_nothing() -> None:
    text = "\n".join(" ".join(line.split()) for line in written("nvme-failing.txt").split("\n"))
    assert disk(text) == disk(written("nvme-failing.txt"))


def test_a_failing_sas_disk_is_read_whole() -> None:
    found = disk(written("sas-failing.txt"))
    assert (found.protocol, found.health) == (Protocol.SCSI, Health.FAILED)
    assert (found.identity.model, found.identity.firmware) == ("NWIND FREIGHT-900", "0F03")
    assert found.identity.stable_id == "0x5000c0ff00112233"
    values = found.values
    assert (values.temperature_celsius, values.power_on_seconds) == (38, 16004 * 3600 + 18 * 60)
    assert (values.reallocated_sectors, values.media_errors, values.power_cycles) == (311, 19, 74)
    assert _short(found.self_tests) == [
        (SelfTestKind.LONG, SelfTestResult.IN_PROGRESS, None),
        (SelfTestKind.LONG, SelfTestResult.FAILED, 14),
        (SelfTestKind.SHORT, SelfTestResult.INTERRUPTED, 24),
        (SelfTestKind.SHORT, SelfTestResult.PASSED, 104),
    ]
    assert found.self_tests is not None
    assert (found.self_tests[0].percent_done, found.self_tests[1].first_bad_lba) == (27, 77001122)


@pytest.mark.parametrize("mode", ["STANDBY", "STANDBY BY COMMAND", "SLEEP"])
def test_a_sleeping_disk_is_asleep_and_nothing_else(mode: str) -> None:
    found = disk(f"smartctl 7.4 2023-08-01 r5530\n\nDevice is in {mode} mode, exit(2)\n")
    assert (found.power, found.exit_status, found.exit_bits) == (PowerState.ASLEEP, 2, ())
    assert (found.health, found.passed, found.self_tests) == (Health.UNKNOWN, None, None)


@pytest.mark.parametrize(
    ("name", "device", "says"),
    [
        ("usb-bridge.txt", "/dev/sdq", "Unknown USB bridge"),
        ("open-failed.txt", "/dev/sdr", "No such device"),
        ("d-test.txt", "/dev/sds", ""),
    ],
)
def test_a_disk_that_was_not_read_is_unknown(name: str, device: str, says: str) -> None:
    found = disk(written(name))
    assert (found.device, found.health, found.power) == (device, Health.UNKNOWN, PowerState.UNKNOWN)
    assert says in " ".join(found.messages)


def test_a_probe_of_the_device_type_tells_it() -> None:
    found = disk(written("d-test.txt"))
    assert (found.interface, found.protocol) == ("scsi", Protocol.SCSI)


@pytest.mark.parametrize(
    ("line", "health"),
    [
        ("SMART overall-health self-assessment test result: PASSED", Health.PASSED),
        ("SMART overall-health self-assessment test result: UNKNOWN!", Health.UNKNOWN),
        ("SMART overall-health self-assessment test result: PASSEL", Health.UNKNOWN),
        ("SMART overall-health self-assessment test result:", Health.UNKNOWN),
        ("SMART Health Status: OK", Health.PASSED),
        ("SMART Health Status: FAILURE PREDICTION THRESHOLD EXCEEDED [asc=5d, ascq=0]", Health.FAILED),
        ("SMART Health Status: something new", Health.UNKNOWN),
        ("SMART support is: Enabled", Health.UNKNOWN),
    ],
)
def test_only_the_words_that_are_known_are_believed(line: str, health: Health) -> None:
    assert disk(f"smartctl 7.4\n\n{line}\n").health is health


@pytest.mark.parametrize(
    "doubt",
    [
        "Warning: This result is based on an Attribute check.",
        "SMART Status command failed: Connection timed out",
        "A mandatory SMART command failed: exiting. To continue, add one or more '-T permissive' options.",
    ],
)
def test_what_the_disk_did_not_say_itself_is_unknown(doubt: str) -> None:
    found = disk(f"smartctl 7.4\n\nSMART overall-health self-assessment test result: PASSED\n{doubt}\n")
    assert (found.passed, found.health) == (True, Health.UNKNOWN)


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("smartctl 7.5 2025-04-30 r5714 [x86_64-linux-6.12.0] (local build)", "7.5"),
        ("smartctl pre-7.4 2022-12-01 r5421 [x86_64-linux-6.1.0]", "7.4"),
        ("smartctl version 5.38 [x86_64-unknown-linux-gnu] Copyright (C) 2002-8 Bruce Allen", "5.38"),
    ],
)
def test_the_release_is_in_the_first_line(line: str, version: str) -> None:
    assert disk(line).smartctl_version == version


def test_of_two_statements_the_worse_counts() -> None:
    text = "smartctl 7.4\nSMART Health Status: OK\nSMART overall-health self-assessment test result: FAILED!\n"
    assert disk(text).health is Health.FAILED


def test_the_exit_status_seen_from_outside_counts() -> None:
    text = "smartctl 7.4\nSMART overall-health self-assessment test result: PASSED\n"
    assert disk(text, ended_with=0).health is Health.PASSED
    assert disk(text, ended_with=4).health is Health.UNKNOWN
    assert disk(text, ended_with=8).health is Health.FAILED


def test_a_table_that_was_cut_leaves_open_what_fails() -> None:
    text = written("sata-ssd-brief.txt")
    start = text[: text.index("197 Pending_Sector_Count")]
    for cut in (start, start + "197 Pending_Sec"):
        assert disk(cut).failing_now is None


def test_a_row_that_is_garbled_leaves_open_what_fails() -> None:
    text = written("sata-ssd-brief.txt").replace(
        "  9 Power_On_Hours          -O--CK", "  9 Power_On_Hours          -O--"
    )
    assert disk(text).failing_now is None


@pytest.mark.parametrize(
    ("name", "heading"),
    [
        ("sata-failing.txt", "Num  Test_Description"),
        ("nvme-failing.txt", "Num  Test_Description"),
        ("sas-failing.txt", "Num  Test "),
    ],
)
def test_a_log_that_was_cut_below_its_heading_is_not_an_empty_one(name: str, heading: str) -> None:
    text = written(name)
    end = text.index("\n", text.index(heading))
    cut = "\n".join(line for line in text[:end].split("\n") if "Self-test" not in line or "status" not in line)
    assert disk(cut + "\n").self_tests is None


def test_a_counter_of_a_sas_disk_that_is_garbled_leaves_their_sum_open() -> None:
    line = next(line for line in written("sas-failing.txt").split("\n") if line.startswith("read:"))
    assert disk(written("sas-failing.txt").replace(line, line[:-1] + "?")).values.media_errors is None


def test_a_self_test_that_is_garbled_stays_as_unknown() -> None:
    text = written("sata-failing.txt").replace("Completed: read failure       70%", "Completed: read failure       70")
    tests = disk(text).self_tests
    assert tests is not None
    assert [test.result for test in tests[:3]] == [
        SelfTestResult.IN_PROGRESS,
        SelfTestResult.UNKNOWN,
        SelfTestResult.ABORTED,
    ]


def test_the_thermometers_own_line_stands_in_for_a_table_without_one() -> None:
    text = (
        written("sata-failing.txt")
        + "SCT Status Version:                  3\nCurrent Temperature:                    44 Celsius\n"
    )
    assert disk(text).values.temperature_celsius == 41
    without = "\n".join(line for line in text.split("\n") if not line.startswith(("190 ", "194 ")))
    assert disk(without).values.temperature_celsius == 44


def test_an_nvme_disk_in_which_no_test_runs_has_none_in_progress() -> None:
    log = (
        "Self-test Log (NVMe Log 0x06)\nSelf-test status: No self-test in progress\n"
        "Num  Test_Description  Status                       Power_on_Hours  Failing_LBA  NSID Seg SCT Code\n"
        " 0   Extended          Completed without error                3456            -     -   -   -    -\n\n"
    )
    tests = disk(f"smartctl 7.4\n\nSMART/Health Information (NVMe Log 0x02)\n{log}").self_tests
    assert tests is not None
    assert [test.result for test in tests] == [SelfTestResult.PASSED]


def test_an_nvme_log_without_the_rest_is_read() -> None:
    text = written("nvme-failing.txt")
    found = disk(text[text.index("Self-test Log (NVMe") :])
    assert (found.protocol, len(found.self_tests or ())) == (Protocol.NVME, 5)
    assert (found.health, found.self_tests is not None and found.self_tests[1].age_hours) == (Health.UNKNOWN, None)


@pytest.mark.parametrize("blank", [",", ".", "'", "’", " ", "\u00a0", "\u202f", "\ufffd"])  # noqa: RUF001
def test_thousands_may_be_set_off_in_any_locale(blank: str) -> None:
    assert grouped_number(f"240{blank}057{blank}409{blank}536 bytes [240 GB]") == 240057409536


@pytest.mark.parametrize(
    ("text", "number"), [("997", 997), ("", None), ("x1", None), ("9" * 40, None), ("12 % of", 12)]
)
def test_a_number_ends_where_it_is_no_group_of_three(text: str, number: int | None) -> None:
    assert grouped_number(text) == number


def test_the_disks_own_statistics_and_defects_are_read_of_text_as_of_json() -> None:
    lines = (
        "0x03  0x020  4              55  ---  Number of Reallocated Logical Sectors\n"
        "0x04  0x008  4               7  ---  Number of Reported Uncorrectable Errors\n"
    )
    values = disk(written("sata-failing.txt").replace("0x07  0x008", lines + "0x07  0x008") + lines).values
    assert (values.media_errors, (values.reallocated_sectors or 0) >= 55) == (max(values.media_errors or 0, 7), True)
    sas = written("sas-failing.txt").replace(
        "Error counter log:", "Pending defect count:12 Pending Defects\n\nError counter log:"
    )
    assert disk(sas).values.pending_sectors == 12
