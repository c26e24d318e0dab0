"""Builders of what the probe observes, of a pool and disks on which all is well, and a writer of the four files."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from bkp.disk_health.model import (
    DiskHealth,
    ExitBit,
    Health,
    Identity,
    PowerState,
    Protocol,
    SelfTest,
    SelfTestKind,
    SelfTestResult,
    Values,
)
from bkp.jobs import JOBS
from bkp.observations import HOST_PART, DiskSeen, HostSeen, Kernels, PoolSeen, Schedulers
from bkp.state.observed import Part, seen, write_observation
from bkp.zfs_health.model import DatasetHealth, PoolHealth, PoolSpace, Scan, Snapshots, Vdev
from tests.support.records import GIB, a_run, a_scrub, a_self_test

if TYPE_CHECKING:
    from pathlib import Path

    from bkp.config import Config
    from bkp.disk_health.model import CriticalWarning
    from bkp.state.records import Run


def outliving_runs(config: Config, started: datetime, *, found: bool = False) -> list[Run]:
    """Return a good run of each job on a pool or a disk, on each target. `found`: with results like those observed."""
    results = (
        {}
        if not found
        else {
            "scrub": a_scrub(started - timedelta(days=9)),
            "selftest-short": a_self_test(started, power_on_hours=None),
            "selftest-long": a_self_test(started, kind="long", minutes=700, power_on_hours=None),
        }
    )
    jobs = [name for name, spec in JOBS.items() if spec.outlives_process]
    pairs = [(job, target) for job in jobs for target in config.targets(job)]
    return [a_run(job, started, target=target, result=results.get(job)) for job, target in pairs]


CONFIGURED = (
    "pools: {tank: {disks: [left, right]}}\n"
    "disks: {left: {path: /dev/disk/by-id/ata-LEFT_01}, right: {path: /dev/disk/by-id/ata-RIGHT_02}}\n"
)


def a_vdev(name: str, state: str = "ONLINE", **changes: Any) -> Vdev:
    """Return a vdev that counts no errors."""
    values: dict[str, Any] = {"read": 0, "write": 0, "checksum": 0}
    return Vdev(name=name, state=state, **(values | changes))


def a_leaf(name: str, guid: str, state: str = "ONLINE", **changes: Any) -> Vdev:
    """Return the vdev of a disk."""
    return a_vdev(name, state, guid=guid, path=f"/dev/disk/by-id/{name}-part1", **changes)


LEFT, RIGHT = a_leaf("ata-LEFT_01", "101"), a_leaf("ata-RIGHT_02", "102")


def a_tree(*leaves: Vdev, state: str = "ONLINE", name: str = "tank") -> tuple[Vdev, ...]:
    """Return the vdevs of a pool that is one mirror."""
    return (a_vdev(name, state, children=(a_vdev("mirror-0", state, children=leaves or (LEFT, RIGHT)),)),)


def a_pool(now: datetime, name: str = "tank", **changes: Any) -> PoolHealth:
    """Return a pool that was scrubbed two days before `now` and is 40 % full."""
    ended = now - timedelta(days=2)
    scrub = Scan(state="finished", start=ended - timedelta(hours=3), end=ended, errors=0, repaired=0, progress=1.0)
    values: dict[str, Any] = {
        "guid": "9001",
        "state": "ONLINE",
        "suspended": False,
        "vdevs": a_tree(name=name),
        "scrub": scrub,
        "resilver": Scan(state="not told"),
        "data_errors": 0,
        "space": PoolSpace(
            name=name, guid="9001", health="ONLINE", size=1800 * GIB, allocated=720 * GIB, free=1080 * GIB,
            capacity=0.4, fragmentation=0.07, checkpoint=0, expandsize=0, readonly=False,
        ),
    }  # fmt: skip
    return PoolHealth(name=name, **(values | changes))


def a_pool_seen(health: PoolHealth, **changes: Any) -> PoolSeen:
    """Return a pool on the disks left (/dev/sda) and right (/dev/sdb)."""
    values: dict[str, Any] = {"devices": {"101": "/dev/sda", "102": "/dev/sdb"}}
    return PoolSeen(health=health, **(values | changes))


def a_dataset(name: str, **changes: Any) -> DatasetHealth:
    """Return an encrypted file system, unlocked and mounted at /NAME."""
    values: dict[str, Any] = {
        "kind": "filesystem",
        "encryption": "aes-256-gcm",
        "encryption_root": "tank/Secure",
        "key_status": "available",
        "mounted": True,
        "mountpoint": f"/{name}",
        "can_mount": "on",
        "readonly": False,
        "quota": 0,
        "available": 1080 * GIB,
        "used": 300 * GIB,
        "receiving": False,
        "snapshots": Snapshots(),
    }
    return DatasetHealth(name=name, **(values | changes))


def a_test(result: SelfTestResult, kind: SelfTestKind = SelfTestKind.SHORT, age_hours: int = 20) -> SelfTest:
    """Return one entry of a self-test log."""
    words = {SelfTestResult.PASSED: "Completed without error", SelfTestResult.FAILED: "Completed: read failure"}
    return SelfTest(
        kind=kind,
        result=result,
        kind_said=f"{kind.value.title()} offline",
        result_said=words.get(result, result.value),
        at_power_on_hours=12_000 - age_hours,
        age_hours=age_hours,
    )


def a_disk(serial: str = "S-LEFT", **changes: Any) -> DiskHealth:
    """Return an ATA disk in good health; `values` are changes to what it measures."""
    values = {
        "temperature_celsius": 34,
        "power_on_seconds": 12_000 * 3600,
        "power_cycles": 40,
        "reallocated_sectors": 0,
        "pending_sectors": 0,
        "offline_uncorrectable_sectors": 0,
        "crc_errors": 0,
    } | changes.pop("values", {})
    disk = DiskHealth(
        interface="sat",
        protocol=Protocol.ATA,
        identity=Identity(model="Example Disk 2TB", serial=serial, firmware="1.02", rotation_rpm=5400),
        power=PowerState.ACTIVE,
        health=Health.PASSED,
        passed=True,
        exit_status=0,
        exit_bits=(),
        values=Values(**values),
        attributes=(),
        failing_now=(),
        failed_before=(),
        self_tests=(
            a_test(SelfTestResult.PASSED),
            a_test(SelfTestResult.PASSED, SelfTestKind.LONG, 300),
        ),
    )
    return msgspec.structs.replace(disk, **changes)


def a_failing_disk(serial: str = "S-RIGHT", warnings: tuple[CriticalWarning, ...] = ()) -> DiskHealth:
    """Return a disk that fails."""
    return a_disk(
        serial,
        health=Health.FAILED,
        passed=False,
        exit_status=8,
        exit_bits=(ExitBit.DISK_FAILING,),
        critical_warnings=warnings or None,
        failing_now=("Reallocated_Sector_Ct",),
        values={"reallocated_sectors": 1904, "pending_sectors": 8, "temperature_celsius": 52},
        self_tests=(a_test(SelfTestResult.FAILED, SelfTestKind.LONG, 6), a_test(SelfTestResult.PASSED)),
    )


def a_disk_seen(now: datetime, health: DiskHealth | None = None, device: str = "sda", **changes: Any) -> DiskSeen:
    """Return a disk that was awake at `now`."""
    names = {"sda": "ata-LEFT_01", "sdb": "ata-RIGHT_02"}
    values: dict[str, Any] = {
        "path": f"/dev/disk/by-id/{names.get(device, device)}",
        "real_path": f"/dev/{device}",
        "health": health or a_disk(),
        "health_at": now,
    }
    return DiskSeen(**(values | changes))


def a_host(**changes: Any) -> HostSeen:
    """Return a host on which all is well."""
    values: dict[str, Any] = {
        "undervoltage": False,
        "usb_resets": 0,
        "arc_bytes": 2 * GIB,
        "kernels": Kernels(running="6.1.0-18", newest="6.1.0-25", newest_has_zfs=True),
        "schedulers": Schedulers(scrubs=("/etc/cron.d/zfsutils-linux",), self_tests=("smartd -s",)),
    }
    return HostSeen(**(values | changes))


class Observer:
    """Writes the four observations; what is not changed is a host on which all is well. Times are `now`.

    `more` are datasets that are there besides.
    """

    def __init__(self, state: Path, now: datetime, *more: str) -> None:
        self.state = state
        self.now = now
        self.pools: dict[str, Part[PoolSeen]] = {"tank": self.part(a_pool_seen(a_pool(now)))}
        names = ("tank", "tank/Secure", "tank/Secure/Borg", *more)
        self.datasets: dict[str, Part[DatasetHealth]] = {name: self.part(a_dataset(name)) for name in names}
        self.disks: dict[str, Part[DiskSeen]] = {
            "left": self.part(a_disk_seen(now)),
            "right": self.part(a_disk_seen(now, a_disk("S-RIGHT"), "sdb")),
        }
        self.host: dict[str, Part[HostSeen]] = {HOST_PART: self.part(a_host())}

    def part(self, value: Any) -> Part[Any]:
        """Return a look at `now` that saw this."""
        return seen(value, "a test", self.now)

    def pool(self, **changes: Any) -> None:
        """Change the pool tank."""
        self.pools["tank"] = self.part(a_pool_seen(a_pool(self.now, **changes)))

    def disk(self, health: DiskHealth | None = None, **changes: Any) -> None:
        """Change the disk left."""
        self.disks["left"] = self.part(a_disk_seen(self.now, health, **changes))

    def write(self) -> None:
        """Write all four files."""
        for name in ("pools", "datasets", "disks", "host"):
            write_observation(self.state, name, os.uname().nodename, getattr(self, name))
