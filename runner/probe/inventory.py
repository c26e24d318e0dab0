"""What `config suggest` is made of: the pools, the disks and the lasting names that this host has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.zfs_health.model import leaf_vdevs
from runner.probe.disks import look_for_disks
from runner.probe.join import devices_of
from runner.probe.pools import look_at_pool, pool_names
from runner.probe.sight import Unseen
from runner.probe.suggest import BY_ID, FoundPool, suggestion

if TYPE_CHECKING:
    from bkp.clock import Clock
    from runner.probe.asking import Ask
    from runner.probe.devices import Host


def suggest(host: Host, ask: Ask, clock: Clock) -> str:
    """Return `pools:` and `disks:` for this host. smartctl opens each disk for that, and may wake it."""
    problems: list[str] = []
    pools = _pools(host, ask, clock, problems)
    scanned = look_for_disks(ask, clock, opening=True).found
    if isinstance(scanned, Unseen):
        problems.append(f"disks: {scanned.reason}")
        scanned = ()
    links: dict[str, list[str]] = {}
    for name in host.names(BY_ID):
        if (device := host.real_path(f"{BY_ID}/{name}")) is not None:
            links.setdefault(device, []).append(name)
    return suggestion(pools, scanned, links, problems)


def _pools(host: Host, ask: Ask, clock: Clock, problems: list[str]) -> list[FoundPool]:
    names, refusal = pool_names(host, ask)
    if refusal is not None:
        problems.append(f"pools: {refusal}")
    found = []
    for name in names:
        status = look_at_pool(name, ask, clock, None, configured=False).status.found
        if isinstance(status, Unseen):
            problems.append(f"devices of pool {name}: {status.reason}")
            found.append(FoundPool(name))
            continue
        devices = devices_of(status, host.whole_device)
        lost = tuple(vdev.name for vdev in leaf_vdevs(status) if (vdev.guid or vdev.name) not in devices)
        found.append(FoundPool(name, tuple(dict.fromkeys(devices.values())), lost))
    return found
