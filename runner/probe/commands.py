"""The probe's questions as command lines, and how long each may take, in seconds.

No question wakes a disk: `smartctl -n standby` asks first, and `--scan` opens none.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bkp.zfs_health.keys import PROPERTIES, SALT
from bkp.zfs_health.listing import DATASET_COLUMNS, KEY_COLUMNS, POOL_COLUMNS, SNAPSHOT_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence

ZPOOL_SECONDS = 20.0
ZFS_SECONDS = 60.0
SMARTCTL_SECONDS = 60.0
OTHER_SECONDS = 20.0

POOL_NAMES = ("zpool", "list", "-H", "-o", "name")
SCAN = ("smartctl", "--scan", "--json")
SCAN_OPEN = ("smartctl", "--scan-open", "--json")
THROTTLED = ("vcgencmd", "get_throttled")
KERNEL_LOG = ("journalctl", "-k", "-b", "-q", "-o", "cat", "--no-pager", "--grep", "USB device number|nder-voltage")


def status_json(pool: str) -> tuple[str, ...]:
    """Return `zpool status` as JSON, which is known since ZFS 2.3."""
    return ("zpool", "status", "-j", "--json-int", pool)


def status_text(pool: str) -> tuple[str, ...]:
    """Return `zpool status` as text with exact numbers."""
    return ("zpool", "status", "-p", pool)


def space(pool: str) -> tuple[str, ...]:
    """Return `zpool list` of one pool."""
    return ("zpool", "list", "-Hp", "-o", ",".join(POOL_COLUMNS), pool)


def datasets(pool: str) -> tuple[str, ...]:
    """Return `zfs list` of a pool's file systems and volumes."""
    return ("zfs", "list", "-Hp", "-r", "-t", "filesystem,volume", "-o", ",".join(DATASET_COLUMNS), pool)


def keys(roots: Sequence[str], *, salt: bool = True) -> tuple[str, ...]:
    """Return `zfs get` of what tells the keys of encryption roots from others; `salt`: zfs knows this property."""
    names = (*PROPERTIES, SALT) if salt else PROPERTIES
    return ("zfs", "get", "-Hp", "-o", ",".join(KEY_COLUMNS), ",".join(names), *roots)


def snapshots(pool: str) -> tuple[str, ...]:
    """Return `zfs list` of a pool's snapshots."""
    return ("zfs", "list", "-Hp", "-r", "-t", "snapshot", "-o", ",".join(SNAPSHOT_COLUMNS), pool)


def smart(path: str, interface: str | None, *, wake: bool = False) -> tuple[str, ...]:
    """Return what smartctl is asked of one disk. A disk that sleeps is left alone, unless it is to `wake`."""
    sleeping = () if wake else ("-n", "standby")
    return ("smartctl", "--json", "-a", *sleeping, *(("-d", interface) if interface else ()), path)


def second(device: str, interface: str) -> tuple[str, ...]:
    """Return the program that has pySMART read one disk; only for a disk that is awake."""
    return (sys.executable, "-P", "-m", "bkp.tools.pysmart_reader", device, interface)


def start_test(device: str, interface: str, kind: str) -> tuple[str, ...]:
    """Return the program that has pySMART start a self-test; only for a disk that is awake."""
    return (sys.executable, "-P", "-m", "bkp.tools.pysmart_tester", device, interface, kind)
