"""Concerns about pools: what is wrong with them now, and how much room they have. `scrubs` has their scans."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.concerns import scrubs
from bkp.concerns.model import Concern
from bkp.inventory import leaves
from bkp.quantities import format_size
from bkp.words import some
from bkp.zfs_health.model import UNKNOWN_STATE, every_vdev, gravity, root_vdev, worse_root

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from bkp.concerns.model import ConcernSeverity
    from bkp.config.storage import Pool
    from bkp.inventory import Inventory, PoolEntry
    from bkp.observations import PoolSeen
    from bkp.state.observed import Part
    from bkp.zfs_health.model import PoolHealth, Vdev

WELL = frozenset({"ONLINE", "AVAIL", "INUSE"})
# what zpool says where an upgrade is possible, or was done against the pool's own list: neither is trouble
_HARMLESS = ("some features are unavailable", "despite not being requested")


def concerns(inventory: Inventory, now: datetime) -> Iterator[Concern]:
    """Yield them."""
    names = inventory.disk_names
    for entry in inventory.pools:
        if entry.settings is None:
            yield _unconfigured(entry)
            continue
        if entry.missing:
            yield _missing(entry)
        if entry.part is not None:
            yield from _configured(entry, entry.settings, entry.part, names, now)


def _unconfigured(entry: PoolEntry) -> Concern:
    state = entry.seen.health.state if entry.seen is not None else None
    why = f"nobody configured it, so nobody watches it; its state is {state or 'not known'}"
    remedy = "add it to `pools` in the configuration, or export it"
    return _about(entry, "pool_unconfigured", "warning", why, remedy)


def _missing(entry: PoolEntry) -> Concern:
    remedy = "`zpool import` shows whether its disks are there; import it, then load its keys"
    return _about(entry, "pool_missing", "critical", "it is not imported", remedy)


def _configured(
    entry: PoolEntry, settings: Pool, part: Part[PoolSeen], names: Mapping[str, str], now: datetime
) -> Iterator[Concern]:
    seen = part.value
    if entry.missing:
        return
    if part.error is not None or seen is None:
        why = f"its state cannot be seen: {part.error or 'nothing was seen'}"
        remedy = f"`zpool status {entry.name}`; if that hangs, the pool is suspended: look at its disks and cables"
        yield _about(entry, "pool_unknown", "critical", why, remedy, part.seen_at)
    if seen is None:
        return
    health = seen.health
    wrong = [*_state(entry, health), *_errors(entry, health)]
    yield from wrong or _status(entry, health)
    yield from _room(entry, settings, health)
    yield from _unknown(entry, health)
    for kind, why, remedy, since in scrubs.findings(health, settings, now, culprits(seen, names)):
        yield _about(entry, kind, "warning", why, remedy, since)
    yield from _foreign(entry, settings, seen, names)


def _state(entry: PoolEntry, health: PoolHealth) -> Iterator[Concern]:
    if health.suspended:
        said = f", though it says {health.state}" if health.state != "SUSPENDED" else ""
        why = f"it is suspended{said}: everything that writes to it hangs"
        remedy = f"see that its disks are there, then `zpool clear {entry.name}`; else restart the host"
        yield _about(entry, "pool_suspended", "critical", why, remedy)
    root = root_vdev(health)
    bad = [vdev for vdev in every_vdev(health) if vdev.state not in WELL and vdev is not root]
    devices = [vdev for vdev in bad if not vdev.children] or bad
    if not devices and (worse := worse_root(health)) is not None:
        devices = [worse]
    if health.state in WELL and not devices:
        return
    if health.state in {None, UNKNOWN_STATE} and not devices:
        return  # `_unknown` says so
    listed = sorted(devices, key=gravity, reverse=True)
    words = [f"{device_name(vdev)} is {vdev.state or 'of unknown state'}{_notes(vdev)}" for vdev in listed]
    why = f"it is {health.state or 'of unknown state'}" + (f": {some(words)}" if words else "")
    remedy = health.action or f"`zpool status {entry.name}` says what to do; see whether the disk is still there"
    yield _about(entry, "pool_not_online", "critical", why, remedy)


def _errors(entry: PoolEntry, health: PoolHealth) -> Iterator[Concern]:
    counting = [vdev for vdev in every_vdev(health) if vdev.read or vdev.write or vdev.checksum]
    counting = [vdev for vdev in counting if not vdev.children] or counting
    if counting:
        words = [
            f"{device_name(it)} {it.read or 0} read, {it.write or 0} write and {it.checksum or 0} checksum errors"
            for it in counting
        ]
        remedy = f"look at the disk's SMART values and cables, scrub the pool, then `zpool clear {entry.name}`"
        yield _about(entry, "pool_errors", "warning", f"devices count errors: {some(words)}", remedy)
    if health.resilver.errors:
        why = f"its last resilver met {health.resilver.errors} errors: not all could be made anew"
        remedy = f"`zpool status -v {entry.name}` names damaged files; scrub the pool"
        yield _about(entry, "pool_errors", "warning", why, remedy)
    if health.data_errors:
        count = "" if health.data_errors == "some" else f" ({health.data_errors} errors)"
        remedy = f"`zpool status -v {entry.name}` names them; restore them from an archive, then scrub"
        yield _about(entry, "pool_data_errors", "critical", f"files on it are damaged{count}", remedy)


def _status(entry: PoolEntry, health: PoolHealth) -> Iterator[Concern]:
    """What zpool itself remarks, and a spare that stands in for a device of which nothing bad is told."""
    spares = [vdev for vdev in every_vdev(health) if vdev.vdev_class == "spare" and vdev.state == "INUSE"]
    if spares:
        why = f"a spare is in use: {some([device_name(vdev) for vdev in spares])}"
        remedy = f"replace the device that it stands in for, or `zpool detach {entry.name}` the spare"
        yield _about(entry, "pool_status", "warning", why, remedy)
    elif health.status not in {None, "OK"}:
        remedy = health.action or f"`zpool status {entry.name}` says more"
        severity: ConcernSeverity = "info" if any(words in str(health.status) for words in _HARMLESS) else "warning"
        yield _about(entry, "pool_status", severity, f"zpool remarks: {health.status}", remedy)


def _room(entry: PoolEntry, settings: Pool, health: PoolHealth) -> Iterator[Concern]:
    space = health.space
    if space is not None and space.capacity is not None and space.capacity > settings.capacity_warning:
        severity: ConcernSeverity = "critical" if space.capacity > settings.capacity_critical else "warning"
        free = f", {format_size(space.free)} are free" if space.free is not None else ""
        remedy = "destroy snapshots that nobody needs, or make it larger"
        yield _about(entry, "pool_full", severity, f"{space.capacity:.0%} of it is in use{free}", remedy)
    held = health.checkpoint
    occupied = held.size if held is not None and held.size is not None else space.checkpoint if space else None
    if held.state != "discarding" if held is not None else occupied:
        size = f" ({format_size(occupied)})" if occupied else ""
        why = f"it has a checkpoint, which keeps everything that was deleted since{size}"
        remedy = f"`zpool checkpoint -d {entry.name}` discards it"
        yield _about(entry, "pool_checkpoint", "warning", why, remedy, held.created if held is not None else None)


def _unknown(entry: PoolEntry, health: PoolHealth) -> Iterator[Concern]:
    reasons = untold(health)
    if health.space is None or health.space.capacity is None:
        reasons.append("how full it is is not told")
    if reasons:
        remedy = f"read `zpool status {entry.name}` and `zpool list {entry.name}` yourself"
        yield _about(entry, "pool_unknown", "warning", f"not all of it is known: {some(reasons)}", remedy)


def untold(health: PoolHealth) -> list[str]:
    """Return what zpool did not tell of a pool's health, or could not be read: it may hide anything."""
    reasons = list(health.problems)
    if health.state in {None, UNKNOWN_STATE} and not any(vdev.state not in WELL for vdev in every_vdev(health)):
        reasons.append("its state is not told")
    if not health.vdevs:
        reasons.append("its devices are not told")
    if (root := root_vdev(health)) is not None and root.state is None and health.state is not None:
        reasons.append("the state of all its devices together is not told")
    if health.suspended is None:
        reasons.append("whether it is suspended is not told")
    if health.data_errors is None:
        reasons.append("whether files are damaged is not told")
    silent = [
        vdev
        for vdev in every_vdev(health)
        if vdev.vdev_class != "spare" and not vdev.children and None in {vdev.read, vdev.write, vdev.checksum}
    ]
    if silent:
        reasons.append(f"the errors of {some([device_name(vdev) for vdev in silent])} are not told")
    return reasons


def _foreign(entry: PoolEntry, settings: Pool, seen: PoolSeen, names: Mapping[str, str]) -> Iterator[Concern]:
    """Devices of a pool on disks that the configuration does not give it."""
    foreign = [
        device_name(vdev)
        for vdev, path in leaves(seen)
        if vdev.state in WELL and names.get(path or "") not in settings.disks
    ]
    if foreign:
        why = f"the configuration does not give it the disk of {some(list(dict.fromkeys(foreign)))}"
        remedy = "add the disk to `disks`, and its name to `disks` of the pool"
        yield _about(entry, "disk_unconfigured", "warning", why, remedy)


def culprits(seen: PoolSeen, names: Mapping[str, str]) -> tuple[str, ...]:
    """Return the devices that count errors, by the names of their disks where those are known."""
    return tuple(
        f"disk {names[path]}" if path is not None and path in names else device_name(vdev)
        for vdev, path in leaves(seen)
        if vdev.read or vdev.write or vdev.checksum
    )


def device_name(vdev: Vdev) -> str:
    """Return what a device is called: the end of its path, or the name of a group."""
    return (vdev.path or vdev.was or vdev.name).rpartition("/")[2]


def _notes(vdev: Vdev) -> str:
    return f" ({', '.join(vdev.notes)})" if vdev.notes else ""


def _about(
    entry: PoolEntry, kind: str, severity: ConcernSeverity, why: str, remedy: str, since: datetime | None = None
) -> Concern:
    name = f"pool {entry.name}"
    uses = f" ({', '.join(entry.uses)})" if entry.uses else ""
    return Concern(kind, severity, name, f"{name}{uses}: {why}", remedy, since)
