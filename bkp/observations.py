"""What the probe observes: the kinds of observation, the types of their values, and one reading of them all.

Each kind is one file (`bkp.state.observed`). A part is named by what it is about: a pool and a dataset by ZFS's name, a
disk by its configured name or, if nobody configured it, by the name that `smartctl --scan-open` gives. What is
configured and not there has a part all the same, or none in a file that can be read: both are missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol, TypeVar

from bkp.disk_health.model import DiskHealth
from bkp.disk_health.second import Disagreement, SecondReading
from bkp.state.fields import Record, UtcTime
from bkp.state.observed import Observed, read_observation
from bkp.zfs_health.model import DatasetHealth, PoolHealth

if TYPE_CHECKING:
    from pathlib import Path

    from bkp.state.reading import Reading

T = TypeVar("T")

KINDS = ("pools", "datasets", "disks", "host")
PROBE_EVERY = timedelta(minutes=5)
SMART_EVERY = timedelta(hours=1)


class DiskSeen(Record, frozen=True, kw_only=True):
    """One disk: what smartctl says, what pySMART says of the same disk if it was awake, and where they differ.

    `path` is the path that was asked, `real_path` the device that it led to; None: there is no such disk. A sleeping
    disk is not asked: `health` and `health_at` are then those of the last time it was awake, and `asleep` is True.
    `asked_at` is when smartctl was last asked, which is less often than the disk is looked for.
    """

    path: str
    real_path: str | None = None
    asleep: bool = False
    health: DiskHealth | None = None
    health_at: UtcTime | None = None
    asked_at: UtcTime | None = None
    second: SecondReading | None = None
    disagreements: tuple[Disagreement, ...] = ()
    configured: bool = True


class PoolSeen(Record, frozen=True, kw_only=True):
    """One pool, and the path of the whole device of each leaf vdev, by the vdev's guid or, without one, by its name.

    The path is real, like `DiskSeen.real_path`. A pool that is not there has a `health` whose `imported` is False.
    """

    health: PoolHealth
    devices: dict[str, str]
    configured: bool = True


class Schedulers(Record, frozen=True, kw_only=True):
    """Who else schedules scrubs and self-tests on this host, in words: `/etc/cron.d/zfsutils-linux`, `smartd -s`."""

    scrubs: tuple[str, ...] = ()
    self_tests: tuple[str, ...] = ()


class Kernels(Record, frozen=True, kw_only=True):
    """The running kernel, the newest installed one, and whether that one has a ZFS module (None: not known)."""

    running: str
    newest: str | None = None
    newest_has_zfs: bool | None = None


class HostSeen(Record, frozen=True, kw_only=True):
    """The host. None is not known: most hosts do not tell of undervoltage.

    `undervoltage`: the supply was too weak at some time since boot. `usb_resets`: resets of USB devices in the kernel's
    log since boot. `arc_bytes`: size of ZFS' cache in memory.
    """

    undervoltage: bool | None = None
    usb_resets: int | None = None
    arc_bytes: int | None = None
    kernels: Kernels | None = None
    schedulers: Schedulers | None = None


HOST_PART = "host"


@dataclass(frozen=True)
class Observations:
    """All that was observed, each kind read once. Missing: the probe never ran."""

    pools: Reading[Observed[PoolSeen]]
    datasets: Reading[Observed[DatasetHealth]]
    disks: Reading[Observed[DiskSeen]]
    host: Reading[Observed[HostSeen]]


class Read(Protocol):
    """How one observation is read: `read_observation`, or what remembers."""

    def __call__(self, state: Path, name: str, kind: type[T], /) -> Reading[Observed[T]]:
        """Return the observation `name` below the state directory, whose values are of `kind`."""


def read_observations(state: Path, read: Read = read_observation) -> Observations:
    """Return what the probe last wrote. Never raises for anything that a file may hold."""
    return Observations(
        pools=read(state, "pools", PoolSeen),
        datasets=read(state, "datasets", DatasetHealth),
        disks=read(state, "disks", DiskSeen),
        host=read(state, "host", HostSeen),
    )
