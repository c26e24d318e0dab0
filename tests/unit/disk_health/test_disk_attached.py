"""An attached file: which output of smartctl it is, and that none is taken for another."""

from __future__ import annotations

import json

import pytest

from bkp.disk_health.attached import MAX_BYTES, MAX_LINES, read_attached
from bkp.disk_health.model import DiskHealth, Health, Protocol, ScannedDevice, Unknown
from tests.support.smartctl_outputs import RELEASES, ata, recorded, written


def test_a_scans_text_names_every_device_and_why_one_was_not_opened() -> None:
    assert read_attached(written("scan-open.txt").encode()) == [
        ScannedDevice(name="/dev/sda", interface="sat", protocol=Protocol.ATA, description="/dev/sda [SAT]"),
        ScannedDevice(
            name="/dev/sdb",
            interface="sntjmicron",
            protocol=Protocol.NVME,
            description="/dev/sdb [USB NVMe JMicron]",
        ),
        ScannedDevice(
            name="/dev/sdc",
            interface="scsi",
            protocol=Protocol.SCSI,
            description="/dev/sdc",
            open_error="Permission denied",
        ),
        ScannedDevice(
            name="/dev/bus/0",
            interface="sat+megaraid,3",
            protocol=Protocol.ATA,
            description="/dev/bus/0 [megaraid_disk_03] [SAT]",
        ),
        ScannedDevice(name="/dev/nvme0", interface="nvme", protocol=Protocol.NVME, description="/dev/nvme0"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "/dev/sdc -d scsi # /dev/sdc, SCSI device open failed: Permission denied",
        "# /dev/sdc -d scsi # garbled",
        "# /dev/sdc -d scsi",
    ],
)
def test_a_device_that_is_not_known_to_open_has_an_error(line: str) -> None:
    found = read_attached(f"/dev/sda -d sat\n{line}\n".encode())
    assert isinstance(found, list)
    assert [device.open_error is None for device in found] == [True, False]


def test_a_scans_json_names_every_device_and_why_one_was_not_opened() -> None:
    document = {
        "smartctl": {"argv": ["smartctl", "--scan-open", "-j"], "exit_status": 0},
        "devices": [
            {"name": "/dev/sda", "info_name": "/dev/sda [SAT]", "type": "sat", "protocol": "ATA"},
            {"name": "/dev/sdc", "type": "scsi", "protocol": "SCSI", "open_error": "Permission denied"},
            {"type": "sat"},
        ],
    }
    found = read_attached(json.dumps(document).encode())
    assert isinstance(found, list)
    assert [(device.name, device.open_error) for device in found] == [
        ("/dev/sda", None),
        ("/dev/sdc", "Permission denied"),
    ]


def test_a_host_without_disks_has_an_empty_scan() -> None:
    document = {"smartctl": {"argv": ["smartctl", "--scan", "--json"], "exit_status": 0}}
    assert read_attached(json.dumps(document).encode()) == []


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("name", ["scan", "scan-open"])
def test_the_labs_scans_are_read(release: str, name: str) -> None:
    found = read_attached(recorded(release, name)[0])
    assert isinstance(found, list)
    assert [device.name for device in found if device.protocol is Protocol.NVME] == ["/dev/nvme0"]
    assert len(found) == 5


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b" \n\t", "empty"),
        (b"{", "begins like JSON"),
        (b"[]", "not of smartctl"),
        (b'{"a": 1}', "not of smartctl"),
        (b'{"smartctl": 7}', "not of smartctl"),
        (b"[" * 100_000, "begins like JSON"),
        (b"hello", "no output of smartctl"),
        (b"# only a remark", "no output of smartctl"),
        (b"\xff\xfe\x00", "no output of smartctl"),
        (b"Additional Smart Log for NVME device:nvme3 namespace-id:1\nkey : 100%  0\n", "nvme-cli"),
        (b"x" * (MAX_BYTES + 1), "larger than"),
        (b"smartctl 7.4\n" + b"\n" * MAX_LINES, "lines"),
    ],
)
def test_what_is_no_output_of_smartctl_is_unknown_with_a_reason(data: bytes, reason: str) -> None:
    found = read_attached(data)
    assert isinstance(found, Unknown)
    assert reason in found.reason


def test_two_disks_in_one_file_are_not_mixed() -> None:
    found = read_attached((written("sata-failing.txt") + written("nvme-failing.txt")).encode())
    assert isinstance(found, Unknown)
    assert "2 disks" in found.reason


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_encodings_of_other_systems_are_read(encoding: str) -> None:
    data = written("sata-failing.txt").replace("\n", "\r\n").encode(encoding)
    assert read_attached(data) == read_attached(written("sata-failing.txt").encode())


def test_an_old_encodings_blank_between_thousands_is_read() -> None:
    text = written("sata-failing.txt").replace("8,001,563,222,016", "8\u00a0001\u00a0563\u00a0222\u00a0016")
    found = read_attached(text.encode("latin-1"))
    assert isinstance(found, DiskHealth)
    assert found.identity.capacity_bytes == 8001563222016


def test_json_below_what_a_shell_printed_is_read() -> None:
    found = read_attached(b"$ sudo smartctl -a -j /dev/sda\n" + json.dumps(ata(), indent=1).encode())
    assert isinstance(found, DiskHealth)
    assert found.health is Health.PASSED
