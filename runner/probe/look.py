"""One look at everything: pools, disks and the host side by side, so that one that hangs keeps none of the others."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from bkp.inventory import parts_of
from bkp.observations import HOST_PART, DiskSeen, HostSeen, PoolSeen
from runner.probe.disks import look_at_disk, look_for_disks, merge_disks
from runner.probe.host import SOURCE as HOST_SOURCE
from runner.probe.host import kernel_state, look_at_host
from runner.probe.join import devices_of
from runner.probe.pools import PoolLook, look_at_pool, merge_datasets, merge_pools, pool_names
from runner.probe.sight import Sight, Unseen, merged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from bkp.clock import Clock
    from bkp.config.model import Config
    from bkp.disk_health.model import ScannedDevice
    from bkp.observations import Observations
    from bkp.state.observed import Part
    from bkp.zfs_health.model import DatasetHealth
    from runner.probe.asking import Ask
    from runner.probe.devices import Host

T = TypeVar("T")

SECONDS = 240.0  # for all of one look: it ends before the next one begins
AT_ONCE = 8


@dataclass(frozen=True)
class ProbeLook:
    """What one look came to, by kind and part. `notes` are what could not be seen and is no part of its own."""

    pools: dict[str, Part[PoolSeen]]
    datasets: dict[str, Part[DatasetHealth]]
    disks: dict[str, Part[DiskSeen]]
    host: dict[str, Part[HostSeen]]
    notes: tuple[str, ...] = ()

    @property
    def unseen(self) -> tuple[str, ...]:
        """Return one sentence for each thing that could not be seen, or is missing."""
        kinds: dict[str, Mapping[str, Part[Any]]] = {
            "pool": self.pools,
            "dataset": self.datasets,
            "disk": self.disks,
            "host": self.host,
        }
        parts = [(kind, name, part) for kind, known in kinds.items() for name, part in known.items()]
        return (*(f"{kind} {name}: {part.error}" for kind, name, part in parts if part.error), *self.notes)


def look(
    config: Config, before: Observations, ask: Ask, host: Host, clock: Clock, *, all_disks: bool = False
) -> ProbeLook:
    """Look at all that is configured, and at what else is there. `all_disks`: ask every disk, however lately."""
    old_pools, old_disks = parts_of(before.pools), parts_of(before.disks)
    wanted = [config.zpool(name) for name in config.pools]
    real_paths = {name: host.real_path(disk.path) for name, disk in config.disks.items()}
    with ThreadPoolExecutor(max_workers=AT_ONCE) as executor:
        the_host = executor.submit(look_at_host, host, ask, clock)
        scan = executor.submit(look_for_disks, ask, clock)
        names, notes = _pool_names(wanted, old_pools, host, ask)
        pools = [
            executor.submit(look_at_pool, name, ask, clock, kernel_state(host, name), configured=name in wanted)
            for name in names
        ]
        disks = {
            name: executor.submit(
                look_at_disk, disk, real_paths[name], old_disks.get(name), ask, clock, always=all_disks
            )
            for name, disk in config.disks.items()
        }
        pool_looks = [
            _result(each, partial(_defect_of_pool, name, clock())) for name, each in zip(names, pools, strict=True)
        ]
        disk_looks = {name: _result(each, partial(Sight, "smartctl", clock())) for name, each in disks.items()}
        found_disks = _result(scan, partial(Sight, "smartctl", clock()))
        host_sight = _result(the_host, partial(Sight, HOST_SOURCE, clock()))
    pool_parts = merge_pools(pool_looks, old_pools, partial(devices_of, whole_device=host.whole_device), wanted)
    seen = [part.value for part in pool_parts.values() if part.error is None and part.value is not None]
    # of a pool that hangs the devices are those of an earlier look: they may be gone
    vdevs = [each for pool in seen for each in pool.devices.values() if host.real_path(each) is not None]
    return ProbeLook(
        pools=pool_parts,
        datasets=merge_datasets(pool_looks, parts_of(before.datasets)),
        disks=merge_disks(disk_looks, config.disks, found_disks, vdevs, real_paths, old_disks),
        host={HOST_PART: merged(host_sight, parts_of(before.host).get(HOST_PART))},
        notes=(*notes, *_scan_notes(config, found_disks), *(note for each in pool_looks for note in each.notes)),
    )


def _result(future: Future[T], instead: Callable[[Unseen], T]) -> T:
    """Return what a look came to. A defect of ours in one look takes no other down."""
    try:
        return future.result()
    except Exception as exc:  # noqa: BLE001  # whatever an odd answer led to
        return instead(Unseen(f"a defect of bkp-run, please report it: {type(exc).__name__}: {exc}"))


def _defect_of_pool(name: str, at: datetime, why: Unseen) -> PoolLook:
    return PoolLook(name, Sight("zpool", at, why), Sight("zfs", at, why))


def _scan_notes(config: Config, scan: Sight[tuple[ScannedDevice, ...]]) -> tuple[str, ...]:
    if isinstance(scan.found, Unseen) and (config.disks or config.pools):
        return (f"disks that nobody configured: {scan.found.reason}",)
    return ()


def _pool_names(
    wanted: list[str], before: Mapping[str, Part[PoolSeen]], host: Host, ask: Ask
) -> tuple[list[str], tuple[str, ...]]:
    """Return the configured pools and whatever else is imported; where that cannot be had, what was before."""
    found, refusal = pool_names(host, ask)
    if refusal is None:
        return list(dict.fromkeys((*wanted, *found))), ()
    if wanted:
        return list(dict.fromkeys((*wanted, *before))), ()
    # no ZFS, and none wanted: nothing is amiss
    return [], () if "not installed" in refusal else (f"pools: {refusal}",)
