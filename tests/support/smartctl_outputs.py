"""Outputs of smartctl: the lab's recordings, those written by hand, and JSON built for one purpose."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bkp.disk_health.as_json.reader import read_json
from bkp.disk_health.attached import read_attached
from bkp.disk_health.model import DiskHealth

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
WRITTEN = FIXTURES / "smartctl_written"
RECORDED = FIXTURES / "smartctl"
RELEASES = ("bookworm", "trixie")


def written(name: str) -> str:
    """Return a text written by hand."""
    return (WRITTEN / name).read_text()


def recorded(release: str, name: str) -> tuple[bytes, int]:
    """Return what the lab's smartctl printed, and its exit status."""
    call = json.loads((RECORDED / release / f"{name}.json").read_text())
    return call["stdout"].encode(), call["exit_code"]


def disk(text: str, *, ended_with: int | None = None) -> DiskHealth:
    """Return the reading of a text that must be one of a disk."""
    found = read_attached(text.encode(), ended_with=ended_with)
    assert isinstance(found, DiskHealth)
    return found


def reading(document: dict[str, Any], *, ended_with: int | None = None) -> DiskHealth:
    """Return the reading of a decoded output."""
    return read_json(document, ended_with=ended_with)


def ata(**changes: Any) -> dict[str, Any]:
    """Return a healthy SATA disk's output with parts changed, or removed where the change is None."""
    return _changed(
        {
            "smartctl": {"version": [7, 4], "argv": ["smartctl", "-x", "-j", "/dev/sda"], "exit_status": 0},
            "device": {"name": "/dev/sda", "info_name": "/dev/sda [SAT]", "type": "sat", "protocol": "ATA"},
            "model_name": "NORTHWIND NW8000C-1B",
            "serial_number": "NWTEST0001",
            "firmware_version": "CC41",
            "wwn": {"naa": 5, "oui": 192, "id": 2712847316},
            "user_capacity": {"blocks": 15628053168, "bytes": 8001563222016},
            "rotation_rate": 7200,
            "in_smartctl_database": True,
            "smart_support": {"available": True, "enabled": True},
            "smart_status": {"passed": True},
            "power_on_time": {"hours": 44321, "minutes": 12},
            "power_cycle_count": 61,
            "temperature": {"current": 41},
            "ata_smart_attributes": {"table": [attribute(5, "Reallocated_Sector_Ct", raw="0")]},
            "ata_smart_error_log": {"extended": {"count": 4}},
            "ata_smart_self_test_log": {"extended": {"table": [ata_test(0x00, "Completed without error", 44300)]}},
        },
        changes,
    )


def attribute(number: int, name: str, *, raw: str, value: int = 100, prefail: bool = False, **more: Any) -> Any:
    """Return one row of the table; its number is what smartctl would pack, never what it prints first."""
    return {
        "id": number,
        "name": name,
        "value": value,
        "worst": value,
        "thresh": 10,
        "when_failed": "",
        "flags": {"prefailure": prefail},
        "raw": {"value": 0x2A_0000_0001, "string": raw},
        **more,
    }


def ata_test(status: int, words: str, hours: int, kind: str = "Extended offline", **more: Any) -> dict[str, Any]:
    """Return one entry of an ATA disk's self-test log."""
    return {
        "type": {"value": 2, "string": kind},
        "status": {"value": status, "string": words},
        "lifetime_hours": hours,
        **more,
    }


def nvme(log: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """Return a healthy NVMe disk's output with parts changed; `log` are changes to its health log."""
    health = {
        "critical_warning": 0,
        "temperature": 44,
        "available_spare": 100,
        "available_spare_threshold": 10,
        "percentage_used": 7,
        "power_cycles": 25,
        "power_on_hours": 3457,
        "unsafe_shutdowns": 10,
        "media_errors": 0,
        "num_err_log_entries": 5,
    }
    return _changed(
        {
            "smartctl": {"version": [7, 4], "exit_status": 0},
            "device": {"name": "/dev/nvme0", "type": "nvme", "protocol": "NVMe"},
            "model_name": "NORTHWIND GALE 2TB",
            "serial_number": "NWTEST0003",
            "nvme_total_capacity": 2000398934016,
            "nvme_namespaces": [{"id": 1, "eui64": {"oui": 49407, "ext_id": 78187493547}}],
            "smart_status": {"passed": True, "nvme": {"value": 0}},
            "nvme_smart_health_information_log": health | (log or {}),
            "temperature": {"current": 44},
        },
        changes,
    )


def scsi(**changes: Any) -> dict[str, Any]:
    """Return a healthy SAS disk's output with parts changed."""
    return _changed(
        {
            "smartctl": {"version": [7, 4], "exit_status": 0},
            "device": {"name": "/dev/sdb", "type": "scsi", "protocol": "SCSI"},
            "scsi_model_name": "NWIND FREIGHT-900",
            "scsi_revision": "0F03",
            "serial_number": "NWTEST0004",
            "logical_unit_id": "0x5000C0FF00112233",
            "rotation_rate": 10500,
            "smart_status": {"passed": True},
            "temperature": {"current": 38, "drive_trip": 60},
            "power_on_time": {"hours": 16004, "minutes": 18},
            "scsi_grown_defect_list": 3,
            "scsi_error_counter_log": {
                "read": {"total_uncorrected_errors": 1},
                "write": {"total_uncorrected_errors": 2},
            },
        },
        changes,
    )


def _changed(document: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (document | changes).items() if value is not None}
