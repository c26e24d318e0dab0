"""Worlds of the exporter with observations beside the records: one in order, and one with much that is not."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bkp.config import parse_config
from bkp.disk_health.model import (
    CriticalWarning,
    ExitBit,
    Health,
    Identity,
    Protocol,
    SelfTestKind,
    SelfTestResult,
)
from bkp.disk_health.second import Disagreement, SecondReading
from bkp.observations import HOST_PART, Kernels, Schedulers
from bkp.state.fields import Outcome
from bkp.state.observed import not_seen
from bkp.state.records import Pause
from bkp.zfs_health.model import Checkpoint, PoolSpace, Scan, Snapshots
from tests.support.audits import CLEAN, MIXED, keep
from tests.support.exporter_world import World, healthy
from tests.support.observed import (
    CONFIGURED,
    LEFT,
    Observer,
    a_dataset,
    a_disk,
    a_disk_seen,
    a_failing_disk,
    a_host,
    a_leaf,
    a_pool,
    a_pool_seen,
    a_test,
    a_tree,
    a_vdev,
    outliving_runs,
)
from tests.support.records import GIB, a_run, a_scrub, a_self_test

if TYPE_CHECKING:
    from datetime import datetime

MORE = (
    "pools: {tank: {disks: [left, right, fast]}, offsite: {}}\n"
    "disks:\n"
    "  left: {path: /dev/disk/by-id/ata-LEFT_01}\n"
    "  right: {path: /dev/disk/by-id/ata-RIGHT_02}\n"
    "  fast: {path: /dev/disk/by-id/nvme-FAST_03, wear_warning: 0.7}\n"
    "  bridge: {path: /dev/disk/by-id/usb-BRIDGE_04}\n"
    "  gone: {path: /dev/disk/by-id/ata-GONE_05}\n"
)


def configure(world: World, extra: str, *, found: bool = False) -> Observer:
    """Add pools and disks to the configuration of a world; return what writes their observations."""
    world.extra += extra
    world.config_path.write_text(world.config_text(), encoding="utf-8")
    config = parse_config(world.config_text())
    world.record(*outliving_runs(config, world.now - timedelta(days=1), found=found))
    replicas = (each.target for each in config.replications.values())
    return Observer(world.store.root, world.now - timedelta(minutes=2), *replicas)


def observed(world: World) -> None:
    """Record good runs, a pool of two disks on which all is well, and a clean audit."""
    healthy(world)
    keep(world.store.root, world.now - timedelta(days=22), CLEAN)
    configure(world, CONFIGURED, found=True).write()


def observed_badly(world: World) -> None:
    """Record good runs, a paused job, pools and disks in every kind of trouble, and an audit with every verdict."""
    healthy(world)
    until, since = world.now + timedelta(days=1), world.now - timedelta(hours=1)
    world.store.write_pause(
        Pause(job="drill", target="main", until=until, reason="no room", paused_at=since, by="operator")
    )
    keep(world.store.root, world.now - timedelta(days=22), MIXED)
    observer = configure(world, MORE)
    now = observer.now
    _hardware_runs(world, now)
    _pools(observer, now)
    snapshots = Snapshots(count=31, newest=now - timedelta(days=1))
    locked = a_dataset("tank/Secure", key_status="unavailable", mounted=False, snapshots=snapshots)
    observer.datasets["tank/Secure"] = observer.part(locked)
    observer.datasets["tank/Secure/Borg"] = observer.part(a_dataset("tank/Secure/Borg", mounted=False, receiving=True))
    _disks(observer, now)
    host = a_host(
        undervoltage=True,
        usb_resets=4,
        kernels=Kernels(running="6.1.0-18", newest="6.1.0-25", newest_has_zfs=False),
        schedulers=Schedulers(scrubs=("/etc/cron.d/zfsutils-linux", "zfs-scrub-weekly@tank.timer")),
    )
    observer.host[HOST_PART] = observer.part(host)
    observer.write()


def _hardware_runs(world: World, now: datetime) -> None:
    """Record a scrub that stands aside, a self-test under way, and one that failed."""
    begun = now - timedelta(hours=2)
    scrub = a_scrub(begun, ended_at=None, finished=False, progress=0.372, paused_at=now - timedelta(hours=1))
    under_way = a_self_test(begun, ended_as="running", said=None, progress=0.4)
    failed = a_self_test(begun, kind="long", ended_as="failed", said="Completed: read failure", first_bad_lba=51_200)
    world.record(
        a_run("scrub", begun, Outcome.RUNNING, target="tank", result=scrub, outlives_process=True),
        a_run("selftest-short", begun, Outcome.RUNNING, target="fast", result=under_way, outlives_process=True),
        a_run("selftest-long", begun, Outcome.FAILURE, target="right", result=failed, reason="it failed"),
    )


def _pools(observer: Observer, now: datetime) -> None:
    faulted = a_leaf(
        "ata-RIGHT_02", "102", "FAULTED", read=7, write=130, checksum=2, notes=("too many errors",)
    )  # fmt: skip
    vdevs = (
        *a_tree(LEFT, faulted, state="DEGRADED"),
        a_vdev("special", children=(a_leaf("nvme-FAST_03", "103", checksum=1, vdev_class="special"),)),
        a_vdev("ata-SPARE_06", "AVAIL", vdev_class="spare", guid="104", read=None, write=None, checksum=None),
    )
    running = Scan(
        state="in progress",
        start=now - timedelta(hours=2),
        errors=0,
        repaired=12 << 20,
        progress=0.372,
        time_left=12_345,
    )
    space = PoolSpace(
        name="tank", guid="9001", health="DEGRADED", size=1800 * GIB, allocated=1548 * GIB, free=252 * GIB,
        capacity=0.86, fragmentation=0.41, checkpoint=3 * GIB, expandsize=0, readonly=False,
    )  # fmt: skip
    health = a_pool(
        now,
        state="DEGRADED",
        message_id="ZFS-8000-8A",
        action="Replace the faulted device, or use 'zpool clear' to mark it repaired.",
        vdevs=vdevs,
        scrub=running,
        resilver=Scan(
            state="finished", start=now - timedelta(days=9), end=now - timedelta(days=8), errors=0, repaired=0
        ),
        data_errors="some",
        checkpoint=Checkpoint(state="exists", created=now - timedelta(days=3), size=3 * GIB),
        space=space,
    )
    devices = {"101": "/dev/sda", "102": "/dev/sdb", "103": "/dev/nvme0n1"}
    observer.pools["tank"] = observer.part(a_pool_seen(health, devices=devices))
    attic = a_pool_seen(
        a_pool(now, "attic", vdevs=a_tree(a_leaf("usb-X", "201"), name="attic")), devices={}, configured=False
    )
    observer.pools["attic"] = observer.part(attic)


def _disks(observer: Observer, now: datetime) -> None:
    asleep = a_disk_seen(now - timedelta(days=3), asleep=True)
    observer.disks["left"] = observer.part(asleep)
    differing = (Disagreement(what="attribute 5", smartctl="raw 1904", pysmart="raw 1900"),)
    right = a_disk_seen(now, a_failing_disk(), "sdb", second=SecondReading(assessment="FAIL"), disagreements=differing)
    observer.disks["right"] = observer.part(right)
    fast = a_disk(
        interface="nvme",
        protocol=Protocol.NVME,
        identity=Identity(model="Example NVMe 1TB", serial="N-03", firmware="4B2QEXM7"),
        health=Health.FAILED,
        exit_status=8,
        exit_bits=(ExitBit.DISK_FAILING,),
        critical_warning=1,
        critical_warnings=(CriticalWarning.SPARE,),
        attributes=None,
        values={
            "temperature_celsius": 71, "wear_ratio": 0.93, "spare_ratio": 0.04, "spare_threshold_ratio": 0.1,
            "media_errors": 5, "reallocated_sectors": None, "pending_sectors": None, "unsafe_shutdowns": 12,
            "offline_uncorrectable_sectors": None,
        },
        self_tests=(a_test(SelfTestResult.ABORTED, SelfTestKind.SHORT, 1),),
    )  # fmt: skip
    observer.disks["fast"] = observer.part(a_disk_seen(now, fast, "nvme0n1", second=SecondReading(error="it crashed")))
    before = observer.part(a_disk_seen(now, a_disk("U-04"), "sdc"))
    observer.disks["bridge"] = not_seen("smartctl did not answer within 30s", "smartctl", now, before)
    observer.disks["/dev/sdx"] = observer.part(a_disk_seen(now, a_disk("X-07"), "sdx", configured=False))
