"""What ZFS said of its pools and datasets. Times are UTC, sizes bytes, durations seconds, ratios 0 to 1.

None is what was not said or could not be read: it is unknown, never zero and never good. States are ZFS's own words.
Names of damaged files are never kept, only counted.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

if TYPE_CHECKING:
    from collections.abc import Iterator

Count = Annotated[int, Meta(ge=0)]
Ratio = Annotated[float, Meta(ge=0, le=1)]
UtcTime = Annotated[datetime, Meta(tz=True)]
DataErrors = Count | Literal["some"]
VdevClass = Literal["data", "log", "cache", "spare", "special", "dedup"]
ScanState = Literal["unknown", "never", "not told", "in progress", "paused", "finished", "canceled"]
WorkState = Literal["unknown", "in progress", "paused", "finished", "canceled"]

UNKNOWN_STATE = "UNKNOWN"  # also zpool's own word for a state it has no word for
_GRAVITY = ("ONLINE", "AVAIL", "INUSE", UNKNOWN_STATE, "OFFLINE", "DEGRADED", "REMOVED")
_GRAVEST = ("SPLIT", "UNAVAIL", "FAULTED", "SUSPENDED")


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    """Readers ignore fields they do not know."""


class Vdev(_Record, frozen=True, kw_only=True):
    """One device or group of devices. The pool itself is the outermost one.

    `rounded`: zpool printed the counters scaled (`1.32K`). `was` is the former path of a device that is gone: another
    device may have that path now. `notes` are zpool's remarks, such as `too many errors` or `resilvering`.
    """

    name: str
    state: str | None = None
    vdev_class: VdevClass = "data"
    guid: str | None = None
    path: str | None = None
    was: str | None = None
    read: Count | None = None
    write: Count | None = None
    checksum: Count | None = None
    slow: Count | None = None
    rounded: bool = False
    notes: tuple[str, ...] = ()
    children: tuple[Vdev, ...] = ()


class Scan(_Record, frozen=True, kw_only=True):
    """The last scrub, resilver or error scrub.

    `never`: no scan is on record. `not told`: ZFS tells of a scan of another kind, and it remembers only the last.
    `vdev` is what a sequential resilver rebuilds. `rounded`: zpool printed the sizes scaled (`9.56T`).
    `progress` may fall, and is 0 after some releases' pause.
    """

    state: ScanState = "unknown"
    vdev: str | None = None
    start: UtcTime | None = None
    end: UtcTime | None = None
    paused_at: UtcTime | None = None
    duration: Count | None = None
    errors: Count | None = None
    repaired: Count | None = None
    scanned: Count | None = None
    issued: Count | None = None
    total: Count | None = None
    progress: Ratio | None = None
    time_left: Count | None = None
    rounded: bool = False


class Work(_Record, frozen=True, kw_only=True):
    """The removal of a vdev, or the expansion of a raidz, running or last ended."""

    state: WorkState = "unknown"
    vdev: str | None = None
    start: UtcTime | None = None
    end: UtcTime | None = None
    copied: Count | None = None
    total: Count | None = None
    progress: Ratio | None = None
    rounded: bool = False


class Checkpoint(_Record, frozen=True, kw_only=True):
    """The pool's checkpoint and what it occupies."""

    state: Literal["unknown", "exists", "discarding"] = "unknown"
    created: UtcTime | None = None
    size: Count | None = None
    rounded: bool = False


class PoolSpace(_Record, frozen=True, kw_only=True):
    """One row of `zpool list`. `expandsize` is what is left to grow into, `checkpoint` what a checkpoint occupies."""

    name: str
    guid: str | None = None
    health: str | None = None
    size: Count | None = None
    allocated: Count | None = None
    free: Count | None = None
    capacity: Ratio | None = None
    fragmentation: Ratio | None = None
    checkpoint: Count | None = None
    expandsize: Count | None = None
    readonly: bool | None = None


class PoolHealth(_Record, frozen=True, kw_only=True):
    """One pool as `zpool status` tells it. `problems` says what could not be read, without quoting names of files.

    `suspended` is True wherever anything tells of it, whatever `state` says. `data_errors` is `some` where there are
    errors and nothing tells how many. `imported` is False in the output of `zpool import`. `vdevs` are the pool itself
    and beside it the groups of the other classes. A `removal`, `expansion` or `checkpoint` of None was not told.
    """

    name: str
    guid: str | None = None
    state: str | None = None
    imported: bool = True
    suspended: bool | None = None
    message_id: str | None = None
    status: str | None = None
    action: str | None = None
    vdevs: tuple[Vdev, ...] = ()
    scrub: Scan = Scan()
    resilver: Scan = Scan()
    error_scrub: Scan = Scan()
    data_errors: DataErrors | None = None
    checkpoint: Checkpoint | None = None
    removal: Work | None = None
    expansion: Work | None = None
    space: PoolSpace | None = None
    problems: tuple[str, ...] = ()


class Reading(_Record, frozen=True, kw_only=True):
    """The pools of one output. `problem` says why no more is known; no pool and no problem: none is imported."""

    pools: tuple[PoolHealth, ...] = ()
    problem: str | None = None


class Snapshots(_Record, frozen=True, kw_only=True):
    """How many snapshots a dataset has, and when the newest one was made."""

    count: Count = 0
    newest: UtcTime | None = None


class DatasetHealth(_Record, frozen=True, kw_only=True):
    """One file system or volume. A quota of 0 is none. `receiving`: an interrupted receive waits to be resumed.

    `encryption`, `key_status` and `mountpoint` are ZFS's words (`off`, `aes-256-gcm`; `available`, `unavailable`; a
    path, `none` or `legacy`). Of an encryption root `key_form` is raw, hex or passphrase, and `key_fingerprint` what
    changes with a passphrase (`bkp.zfs_health.keys`); of other keys ZFS tells nothing.
    """

    name: str
    guid: str | None = None
    key_form: str | None = None
    key_fingerprint: str | None = None
    kind: str | None = None
    encryption: str | None = None
    encryption_root: str | None = None
    key_status: str | None = None
    mounted: bool | None = None
    mountpoint: str | None = None
    can_mount: str | None = None
    readonly: bool | None = None
    quota: Count | None = None
    refquota: Count | None = None
    available: Count | None = None
    used: Count | None = None
    receiving: bool | None = None
    snapshots: Snapshots | None = None


def every_vdev(pool: PoolHealth) -> Iterator[Vdev]:
    """Yield the pool's vdevs of every depth and class, parents first."""
    waiting = list(reversed(pool.vdevs))
    while waiting:
        vdev = waiting.pop()
        yield vdev
        waiting.extend(reversed(vdev.children))


def root_vdev(pool: PoolHealth) -> Vdev | None:
    """Return the outermost vdev, which is the pool itself. A device below it may have the pool's name, too."""
    return next((vdev for vdev in pool.vdevs if vdev.name == pool.name), None)


def worse_root(pool: PoolHealth) -> Vdev | None:
    """Return the outermost vdev where its state is another one than the pool's own, and not ONLINE; else None."""
    root = root_vdev(pool)
    return root if root is not None and root.state not in {None, "ONLINE", pool.state} else None


def leaf_vdevs(pool: PoolHealth) -> Iterator[Vdev]:
    """Return the pool's devices: the vdevs that have none below them."""
    root = root_vdev(pool)
    return (vdev for vdev in every_vdev(pool) if not vdev.children and vdev is not root)


def worst(pool: PoolHealth) -> str:
    """Return the gravest state of any vdev; a word that nobody knows, or none at all, counts as `UNKNOWN`."""
    return max((_known(vdev.state) for vdev in every_vdev(pool)), key=_ORDER.index, default=UNKNOWN_STATE)


def gravity(vdev: Vdev) -> int:
    """Return how grave the state of a vdev is: the graver, the greater."""
    return _ORDER.index(_known(vdev.state))


_ORDER = (*_GRAVITY, *_GRAVEST)


def _known(state: str | None) -> str:
    return state if state in _ORDER else UNKNOWN_STATE
