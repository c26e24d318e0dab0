"""What the probe saw, for a terminal and as JSON: one line a thing, the worst first."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from bkp.disk_health.model import DiskHealth, Health, PowerState, ScannedDevice, Unknown
from bkp.quantities import format_size
from bkp.state.files import encode_record
from bkp.zfs_health.model import PoolHealth, Reading, every_vdev, worst

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bkp.disk_health.attached import Attached
    from bkp.observations import DiskSeen, HostSeen, PoolSeen
    from bkp.state.observed import Part
    from runner.probe.look import ProbeLook


class Rank(IntEnum):
    """How bad a line is, the worst first."""

    BAD = 0
    UNKNOWN = 1
    NOTICE = 2
    GOOD = 3


_SIGNS = {
    Rank.BAD: ("✗", "red"),
    Rank.UNKNOWN: ("?", "magenta"),
    Rank.NOTICE: ("!", "yellow"),
    Rank.GOOD: ("✓", "green"),
}


class LookLine(NamedTuple):
    """One line of the summary."""

    rank: Rank
    kind: str
    name: str
    words: str


def as_json(look: ProbeLook) -> bytes:
    """Return everything that was seen, in the words of the observations, and what could not be."""
    parts = {"pools": look.pools, "datasets": look.datasets, "disks": look.disks, "host": look.host}
    return encode_record({"schema": 1, **parts, "unseen": look.unseen})


def as_text(lines: Iterable[LookLine]) -> str:
    """Return the lines, the worst first."""
    rows = sorted(lines, key=lambda line: line.rank)
    kind = max((len(row.kind) for row in rows), default=0)
    name = max((len(row.name) for row in rows), default=0)
    return "\n".join(_row(row, kind, name) for row in rows)


def _row(line: LookLine, kind: int, name: int) -> str:
    sign, colour = _SIGNS[line.rank]
    return f"{click.style(sign, fg=colour)}  {line.kind:<{kind}}  {line.name:<{name}}  {line.words}".rstrip()


def lines_of(look: ProbeLook) -> Iterator[LookLine]:
    """Yield a line for each pool, disk and dataset that needs one, for all datasets together, and for the host."""
    for name, pool in look.pools.items():
        yield _unseen("pool", name, pool) or _pool_seen(name, pool.value)
    for name, disk in look.disks.items():
        yield _unseen("disk", name, disk) or _disk_seen(name, disk.value)
    for name, dataset in look.datasets.items():
        if (line := _unseen("dataset", name, dataset)) is not None:
            yield line
    seen = [part.value for part in look.datasets.values() if part.error is None and part.value is not None]
    locked = sum(each.key_status == "unavailable" for each in seen)
    if seen:
        words = f"{len(seen)} seen" + (f", {locked} with a key that is not loaded" if locked else "")
        yield LookLine(Rank.NOTICE if locked else Rank.GOOD, "datasets", "", words)
    for part in look.host.values():
        yield _unseen("host", "", part) or _host(part.value)
    for note in look.notes:
        yield LookLine(Rank.UNKNOWN, "", "", note)


def _unseen(kind: str, name: str, part: Part[Any]) -> LookLine | None:
    if part.error is None:
        return None
    last = f"; last seen {part.seen_at:%Y-%m-%d %H:%M} UTC" if part.seen_at is not None else "; never seen"
    return LookLine(Rank.BAD if part.missing else Rank.UNKNOWN, kind, name, part.error + last)


def _pool_seen(name: str, seen: PoolSeen | None) -> LookLine:
    if seen is None:
        return LookLine(Rank.UNKNOWN, "pool", name, "never seen")
    line = pool_line(seen.health)
    if seen.configured:
        return line
    return line._replace(rank=min(line.rank, Rank.NOTICE), words=f"{line.words}, not configured")


def pool_line(pool: PoolHealth) -> LookLine:
    """Return a pool's line, in ZFS's own words."""
    gravest, vdevs = worst(pool), list(every_vdev(pool))
    counts = {each: (each.read or 0) + (each.write or 0) + (each.checksum or 0) for each in vdevs}
    errors = max(sum(count for each, count in counts.items() if not each.children), *counts.values(), 0)
    words = [pool.state or "state not told"]
    words += ["suspended"] if pool.suspended and pool.state != "SUSPENDED" else []
    words += [f"a device is {gravest}"] if gravest not in {"ONLINE", pool.state} else []
    words += [f"{errors} errors of devices"] if errors else []
    if pool.data_errors != 0:
        words.append(f"data errors: {'not known' if pool.data_errors is None else pool.data_errors}")
    if pool.space is not None and pool.space.capacity is not None:
        words.append(f"{pool.space.capacity:.0%} full")
    words += [
        f"{what} {scan.state}" for what, scan in (("scrub", pool.scrub), ("resilver", pool.resilver)) if scan.start
    ]
    words += list(pool.problems)
    if pool.suspended or errors or pool.data_errors or (pool.state not in {None, "ONLINE"}) or gravest not in _FINE:
        rank = Rank.UNKNOWN if gravest == "UNKNOWN" and pool.state == "ONLINE" and not errors else Rank.BAD
    else:
        rank = Rank.UNKNOWN if pool.state is None or pool.data_errors is None or pool.problems else Rank.GOOD
    return LookLine(rank, "pool", pool.name, ", ".join(words))


_FINE = frozenset({"ONLINE", "AVAIL", "INUSE"})


def _disk_seen(name: str, seen: DiskSeen | None) -> LookLine:
    if seen is None:
        return LookLine(Rank.UNKNOWN, "disk", name, "never seen")
    if not seen.configured:
        return LookLine(Rank.NOTICE, "disk", name, "not configured, so not asked")
    line = (
        disk_line(name, seen.health) if seen.health else LookLine(Rank.UNKNOWN, "disk", name, "its health is not known")
    )
    words = [f"asleep; when last awake: {line.words}" if seen.asleep else line.words]
    words += [f"pySMART says otherwise of {each.what}" for each in seen.disagreements[:3]]
    rank = min(line.rank, Rank.NOTICE) if seen.disagreements else line.rank
    return LookLine(rank, "disk", name, ", ".join(words))


def disk_line(name: str, health: DiskHealth) -> LookLine:
    """Return a disk's line."""
    values = health.values
    words = [f"health {health.health}"] if health.power is not PowerState.ASLEEP else ["asleep, left alone"]
    words += [f"{values.temperature_celsius} °C"] if values.temperature_celsius is not None else []
    words += [f"{values.wear_ratio:.0%} worn"] if values.wear_ratio is not None else []
    counts = {
        "reallocated sectors": values.reallocated_sectors,
        "pending sectors": values.pending_sectors,
        "media errors": values.media_errors,
    }
    words += [f"{count} {what}" for what, count in counts.items() if count]
    words += [f"smartctl: {bit.replace('_', ' ')}" for bit in health.exit_bits or ()]
    rank = {Health.PASSED: Rank.GOOD, Health.FAILED: Rank.BAD}.get(health.health, Rank.UNKNOWN)
    if rank is Rank.GOOD and (health.exit_bits or any(counts.values())):
        rank = Rank.NOTICE
    return LookLine(rank, "disk", name, ", ".join(words))


def _host(host: HostSeen | None) -> LookLine:
    if host is None:
        return LookLine(Rank.UNKNOWN, "host", "", "nothing is known of it")
    rank, words = Rank.GOOD, []
    if host.undervoltage:
        rank, words = Rank.NOTICE, ["its supply was too weak since it was started"]
    if host.usb_resets:
        rank, words = Rank.NOTICE, [*words, f"{host.usb_resets} resets of USB devices"]
    kernels = host.kernels
    if kernels is not None and kernels.newest_has_zfs is not None:
        words.append(f"kernel {kernels.newest} has {'a' if kernels.newest_has_zfs else 'no'} ZFS module")
    if host.arc_bytes is not None:
        words.append(f"ZFS caches {format_size(host.arc_bytes)}")
    return LookLine(rank, "host", "", ", ".join(words) or "nothing to tell")


def pools_as_text(reading: Reading) -> str:
    """Return the pools of an attached output."""
    told = [LookLine(Rank.UNKNOWN, "", "", reading.problem)] if reading.problem else []
    return as_text([*(pool_line(pool) for pool in reading.pools), *told]) or "no pool"


def disks_as_text(attached: Attached) -> str:
    """Return the disk, or the disks, of an attached output."""
    if isinstance(attached, DiskHealth):
        return as_text([disk_line(attached.device or attached.identity.model or "?", attached)])
    if isinstance(attached, Unknown):
        return as_text([LookLine(Rank.UNKNOWN, "disk", "?", attached.reason)])
    return as_text(_scanned(each) for each in attached) or "no disk"


def _scanned(device: ScannedDevice) -> LookLine:
    if device.open_error is not None:
        return LookLine(Rank.UNKNOWN, "disk", device.name, device.open_error)
    return LookLine(Rank.GOOD, "disk", device.name, f"interface {device.interface}")
