"""The card of a pool: its state, its devices with the worst first, its scans, its room, its datasets of the backup."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bkp.concerns.pools import WELL, device_name
from bkp.inventory import leaves
from bkp.quantities import format_duration, format_size
from bkp.zfs_health.model import gravity
from exporter.page.escrow import of_pool
from exporter.page.parts import Bar, Row, anchor_of, bar_of, moment_of, tone_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bkp.inventory import DatasetEntry, PoolEntry
    from bkp.observations import PoolSeen
    from bkp.zfs_health.model import PoolHealth, Scan, Vdev
    from exporter.model import Model

MOST_DEVICES = 60
DEEPEST = 5


@dataclass(frozen=True)
class Device:
    """One line of the tree of devices. `disk` is the configured disk that it is, with the anchor of its card."""

    depth: int
    name: str
    state: str
    tone: str
    remark: str
    disk: str
    anchor: str


@dataclass(frozen=True)
class PoolCard:
    """One pool."""

    anchor: str
    name: str
    uses: str
    status: str
    word: str
    rows: tuple[Row, ...]
    bars: tuple[Bar, ...]
    devices: tuple[Device, ...]


def pool_card(model: Model, entry: PoolEntry) -> PoolCard:
    """Return the card of a pool."""
    seen = entry.seen if not entry.missing else None
    thing = f"pool {entry.name}"
    return PoolCard(
        anchor=anchor_of(thing),
        name=entry.name,
        uses=", ".join(entry.uses) if entry.settings is not None else "not configured",
        status=tone_of(model.concerns, thing, known=entry.current),
        word=entry.word,
        rows=tuple(_rows(model, entry)),
        bars=tuple(_bars(entry, seen.health)) if seen is not None else (),
        devices=tuple(_devices(model, seen)) if seen is not None else (),
    )


def _rows(model: Model, entry: PoolEntry) -> Iterator[Row]:
    part = entry.part
    if part is None:
        yield Row("last seen", "never", tone="warn")
        return
    if part.error is not None:
        yield Row("last look", part.error, moment_of(model.survey, part.looked_at), tone="bad")
    if part.seen_at is not None and not entry.missing:
        yield Row("last seen", moment=moment_of(model.survey, part.seen_at), tone="" if entry.current else "warn")
    if part.value is None or entry.missing:
        return
    health = part.value.health
    yield _scan_row(model, "scrub", health.scrub)
    if health.resilver.state not in {"never", "not told", "unknown"}:
        yield _scan_row(model, "resilver", health.resilver)
    yield _data_errors_row(health)
    if health.space is not None and health.space.fragmentation is not None:
        yield Row("fragmentation", f"{health.space.fragmentation:.0%}")
    for dataset in model.inventory.datasets:
        if dataset.uses and dataset.name.partition("/")[0] == entry.name:
            yield _dataset_row(model, dataset)
    yield from of_pool(model, entry.name)


def _data_errors_row(health: PoolHealth) -> Row:
    if health.data_errors is None:
        return Row("data errors", "not told", tone="warn")
    return Row("data errors", str(health.data_errors), tone="bad") if health.data_errors else Row("data errors", "none")


def _scan_row(model: Model, label: str, scan: Scan) -> Row:
    if scan.state == "in progress":
        start = moment_of(model.survey, scan.start) if scan.start is not None else None
        return Row(label, "running since" if start else "running", start)
    bad = [f"{scan.errors} errors"] if scan.errors else []
    bad += [f"{format_size(scan.repaired)} repaired"] if scan.repaired else []
    text = scan.state + (f", {', '.join(bad)}" if bad else "")
    end = scan.end if scan.end is not None else scan.paused_at
    tone = "bad" if scan.errors else "" if scan.state == "finished" and not bad else "warn"
    return Row(label, text, moment_of(model.survey, end) if end is not None else None, tone)


def _dataset_row(model: Model, dataset: DatasetEntry) -> Row:
    seen = dataset.seen
    told = []
    if seen is None or not dataset.current:
        told.append("not known")
    if seen is not None and seen.key_status == "unavailable":
        told.append("locked")
    if seen is not None and seen.mounted is not None:
        told.append("mounted" if seen.mounted else "not mounted")
    tone = tone_of(model.concerns, f"dataset {dataset.name}", known=dataset.current)
    text = f"{dataset.name} ({', '.join(dataset.uses)}): {', '.join(told)}"
    return Row("dataset", text, tone={"ok": "", "failed": "bad"}.get(tone, "warn"))


def _bars(entry: PoolEntry, health: PoolHealth) -> Iterator[Bar]:
    for label, scan in (("scrub", health.scrub), ("resilver", health.resilver)):
        if scan.state in {"in progress", "paused"} and scan.progress is not None:
            left = f", {format_duration(timedelta(seconds=scan.time_left))} left" if scan.time_left is not None else ""
            tone = "warn" if scan.state == "paused" else "running"
            yield bar_of(label, scan.progress, f"{scan.progress:.0%} done{left}", tone)
    space = health.space
    if space is not None and space.capacity is not None:
        tone = "plain"
        if entry.settings is not None and space.capacity > entry.settings.capacity_warning:
            tone = "bad" if space.capacity > entry.settings.capacity_critical else "warn"
        sizes = "" if space.free is None or space.size is None else f"{format_size(space.free)} free of "
        sizes += format_size(space.size) if sizes and space.size is not None else ""
        yield bar_of("in use", space.capacity, f"{space.capacity:.0%}" + (f", {sizes}" if sizes else ""), tone)


def _devices(model: Model, seen: PoolSeen) -> list[Device]:
    names = model.inventory.disk_names
    disks = {vdev: names.get(path or "", "") for vdev, path in leaves(seen)}
    lines = list(_tree(seen.health.vdevs, 0, disks))
    if len(lines) > MOST_DEVICES:
        rest = Device(0, f"and {len(lines) - MOST_DEVICES} more", "", "", "", "", "")
        lines = [*lines[:MOST_DEVICES], rest]
    return lines


def _tree(vdevs: Iterable[Vdev], depth: int, disks: dict[Vdev, str]) -> Iterator[Device]:
    """Yield the lines below these, the worst of each group first."""
    for vdev in sorted(vdevs, key=_badness, reverse=True):
        counts = [
            f"{n} {what}" for n, what in ((vdev.read, "read"), (vdev.write, "write"), (vdev.checksum, "checksum")) if n
        ]
        errors = [f"{', '.join(counts)} errors"] if counts else []
        untold = ["errors not told"] if not vdev.children and vdev.vdev_class != "spare" and vdev.read is None else []
        kind = [vdev.vdev_class] if vdev.vdev_class != "data" else []
        disk = disks.get(vdev, "")
        yield Device(
            depth=min(depth, DEEPEST),
            name=device_name(vdev),
            state=(vdev.state or "unknown").lower(),
            tone="bad" if vdev.state not in WELL else "warn" if counts or untold else "good",
            remark=", ".join((*kind, *errors, *untold, *vdev.notes)),
            disk=disk,
            anchor=anchor_of(f"disk {disk}") if disk else "",
        )
        yield from _tree(vdev.children, depth + 1, disks)


def _badness(vdev: Vdev) -> tuple[int, int]:
    """Return how bad the worst below a vdev is: by its state, then by its errors."""
    own = (0 if vdev.state in WELL else gravity(vdev), (vdev.read or 0) + (vdev.write or 0) + (vdev.checksum or 0))
    return max([own, *(_badness(child) for child in vdev.children)])
