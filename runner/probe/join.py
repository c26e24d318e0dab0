"""The join disk ↔ vdev ↔ pool: from what ZFS calls a leaf vdev to the whole device, and to the configured disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.zfs_health.model import PoolHealth, Vdev, leaf_vdevs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# where zpool import looks for devices; text shows a vdev by its last name only
_FOLDERS = ("/dev/disk/by-id", "/dev/disk/by-vdev", "/dev/mapper", "/dev/disk/by-partuuid", "/dev/disk/by-path", "/dev")
_GONE = frozenset({"UNAVAIL", "REMOVED"})


def devices_of(pool: PoolHealth, whole_device: Callable[[str], str | None]) -> dict[str, str]:
    """Return the whole device of each leaf vdev, by its guid or else its name; those that lead nowhere are left out."""
    found = {}
    for vdev in leaf_vdevs(pool):
        device = next((device for path in _paths(vdev) if (device := whole_device(path)) is not None), None)
        if device is not None:
            found[vdev.guid or vdev.name] = device
    return found


def _paths(vdev: Vdev) -> Iterator[str]:
    if vdev.was is not None:  # another device may have that path by now
        return
    if vdev.path is not None:
        paths = [vdev.path]
    else:
        paths = [f"{folder}/{vdev.name}" for folder in _FOLDERS] if "/" not in vdev.name else []
    for path in paths:
        # a device that is gone may have left its kernel name (sda) to another one
        if vdev.state not in _GONE or path.startswith("/dev/disk/by-"):
            yield path
