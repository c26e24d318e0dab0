"""Command lines of zfs, zpool and mount as pure tuples (zfs(8), zpool(8)), each beginning with the program's bare name.

Properties are asked for as exact numbers, without headings (-Hp).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bkp.tools.mounts import MOUNTINFO

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ZFS, ZPOOL, MOUNT = "zfs", "zpool", "mount"
# None of these can hold a tab or a line feed. `inconsistent`, not in zfsprops(7), is 1 during a first receive.
DATASET_COLUMNS = ("name", "canmount", "keystatus", "encryption", "guid", "inconsistent", "receive_resume_token")
_MOUNT_POINT_COLUMNS = ("name", "mountpoint")
SNAPSHOT_COLUMNS = ("name", "guid", "creation", "createtxg", "userrefs")
_GET_COLUMNS = "name,property,value,source"
POOL_COLUMNS = ("name", "size", "free", "capacity", "health", "readonly")


@dataclass(frozen=True)
class Programs:
    """Where the programs are, and the kernel's table of mounts. Root's nightly does not search a PATH for them."""

    zfs: str = "/usr/sbin/zfs"
    mount: str = "/usr/bin/mount"
    zpool: str = "/usr/sbin/zpool"
    mountinfo: str = MOUNTINFO

    def located(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """Return the command line with its program's path in front."""
        return ({ZFS: self.zfs, ZPOOL: self.zpool, MOUNT: self.mount}[argv[0]], *argv[1:])


def list_datasets(dataset: str) -> tuple[str, ...]:
    """Return `zfs list` of a file system and all below it: file systems, and volumes, of which borg sees no files."""
    return _list(DATASET_COLUMNS, "-r", "-t", "filesystem,volume", dataset)


def list_mount_points(dataset: str) -> tuple[str, ...]:
    """Return `zfs list` of the mount points of the same datasets, in the same order."""
    return _list(_MOUNT_POINT_COLUMNS, "-r", "-t", "filesystem,volume", dataset)


def list_all_datasets() -> tuple[str, ...]:
    """Return `zfs list` of every file system of every imported pool."""
    return _list(DATASET_COLUMNS, "-t", "filesystem")


def list_all_mount_points() -> tuple[str, ...]:
    """Return `zfs list` of the mount points of the same file systems, in the same order."""
    return _list(_MOUNT_POINT_COLUMNS, "-t", "filesystem")


def mount_point(dataset: str) -> tuple[str, ...]:
    """Return `zfs get` of one mount point: nothing but the value is printed."""
    return (ZFS, "get", "-Hp", "-o", "value", "mountpoint", dataset)


def _list(columns: Sequence[str], *rest: str) -> tuple[str, ...]:
    return (ZFS, "list", "-Hp", "-o", ",".join(columns), *rest)


def properties(names: Sequence[str], datasets: Sequence[str], *, below: bool = False) -> tuple[str, ...]:
    """Return `zfs get` of properties of file systems, with their sources; `below`: and of all below them."""
    if not datasets:
        raise ValueError("name the datasets: without one, zfs get asks every pool")
    recursive = ("-r",) if below else ()
    return (ZFS, "get", "-Hp", *recursive, "-t", "filesystem", "-o", _GET_COLUMNS, ",".join(names), *datasets)


def list_rights(dataset: str) -> tuple[str, ...]:
    """Return `zfs allow` of a dataset: what others than root may do with it. It has no form for scripts."""
    return (ZFS, "allow", dataset)


def try_key(root: str) -> tuple[str, ...]:
    """Return `zfs load-key -n` of an encryption root: is the key on standard input its key? Nothing is loaded."""
    return (ZFS, "load-key", "-n", "-L", "prompt", root)


def list_pool(pool: str) -> tuple[str, ...]:
    """Return `zpool list` of one pool: sizes in bytes, capacity in percent."""
    return (ZPOOL, "list", "-Hp", "-o", ",".join(POOL_COLUMNS), pool)


def pool_status(pool: str) -> tuple[str, ...]:
    """Return `zpool status` of one pool, counters as exact numbers. It has no form for scripts before OpenZFS 2.3."""
    return (ZPOOL, "status", "-p", pool)


def snapshot(dataset: str, name: str, properties: Mapping[str, str]) -> tuple[str, ...]:
    """Return `zfs snapshot -r`: one atomic snapshot over all descendants, each marked with `properties`."""
    marks = tuple(word for key, value in properties.items() for word in ("-o", f"{key}={value}"))
    return (ZFS, "snapshot", "-r", *marks, f"{dataset}@{name}")


def hold(dataset: str, name: str, tag: str) -> tuple[str, ...]:
    """Return `zfs hold -r`: while it lasts nobody can destroy the snapshots."""
    return (ZFS, "hold", "-r", tag, f"{dataset}@{name}")


def abort_receive(dataset: str) -> tuple[str, ...]:
    """Return `zfs receive -A`: what was received of a stream that was cut off is thrown away."""
    return (ZFS, "receive", "-A", dataset)


def hold_each(tag: str, snapshots: Sequence[str]) -> tuple[str, ...]:
    """Return `zfs hold` of these snapshots, one after the other: where one is not there, others may be held."""
    return (ZFS, "hold", tag, *snapshots)


def release_each(tag: str, snapshots: Sequence[str]) -> tuple[str, ...]:
    """Return `zfs release` of these snapshots."""
    return (ZFS, "release", tag, *snapshots)


def list_holds(snapshots: Sequence[str]) -> tuple[str, ...]:
    """Return `zfs holds` of these snapshots: name, tag and time, a hold a line."""
    if not snapshots:
        raise ValueError("name the snapshots whose holds are wanted")
    return (ZFS, "holds", "-H", *snapshots)


def release(dataset: str, name: str, tag: str) -> tuple[str, ...]:
    """Return `zfs release -r`."""
    return (ZFS, "release", "-r", tag, f"{dataset}@{name}")


def destroy_snapshot(dataset: str, name: str) -> tuple[str, ...]:
    """Return `zfs destroy -r` of a snapshot: all of them or none (lzc_destroy_snaps)."""
    if not name:
        raise ValueError("a snapshot to destroy needs a name: without one this would destroy the dataset")
    return (ZFS, "destroy", "-r", f"{dataset}@{name}")


def list_snapshots(dataset: str) -> tuple[str, ...]:
    """Return `zfs list` of the names of all snapshots of a dataset and of all below it: of names alone it is quick."""
    return (ZFS, "list", "-H", "-r", "-t", "snapshot", "-o", "name", "-s", "name", dataset)


def list_received(dataset: str) -> tuple[str, ...]:
    """Return `zfs list` of all snapshots of a dataset and of all below it, with what orders and holds them."""
    return (ZFS, "list", "-Hp", "-r", "-t", "snapshot", "-o", ",".join(SNAPSHOT_COLUMNS), dataset)


def snapshot_marks(dataset: str, properties: Sequence[str]) -> tuple[str, ...]:
    """Return `zfs get` of user properties of the dataset's own snapshots, with their source (local or received)."""
    return (ZFS, "get", "-Hp", "-t", "snapshot", "-d", "1", "-o", _GET_COLUMNS, ",".join(properties), dataset)


def mount_snapshot(dataset: str, name: str, folder: str) -> tuple[str, ...]:
    """Return `mount -t zfs`, read-only, of one snapshot over a folder (mount(8)).

    Past the helper mount.zfs: since ZFS 2.3 it refuses to mount a snapshot over a folder that is not empty.
    """
    return (MOUNT, "--internal-only", "-t", "zfs", "-o", "ro", f"{dataset}@{name}", folder)


def scrub(pool: str) -> tuple[str, ...]:
    """Return `zpool scrub`: start one, or go on with the one that is paused."""
    return (ZPOOL, "scrub", pool)


def pause_scrub(pool: str) -> tuple[str, ...]:
    """Return `zpool scrub -p`. A paused scrub goes on only if somebody says so, a restart or not."""
    return (ZPOOL, "scrub", "-p", pool)
