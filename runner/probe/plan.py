"""What the probe would ask, for `--dry-run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.probe import commands

if TYPE_CHECKING:
    from bkp.config.model import Config


def questions(config: Config) -> list[tuple[str, ...]]:
    """Return the commands of one look at what is configured. Pools that nobody configured come on top of these."""
    pools = [config.zpool(name) for name in config.pools]
    found = [commands.KERNEL_LOG, commands.THROTTLED, commands.SCAN]
    for pool in pools:
        found += [commands.status_json(pool), commands.space(pool), commands.datasets(pool), commands.snapshots(pool)]
    for disk in config.disks.values():
        found += [commands.smart(disk.path, disk.interface), commands.second(disk.path, disk.interface or "INTERFACE")]
    return found
