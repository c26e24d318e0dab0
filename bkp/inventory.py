"""Pools, datasets and disks: what is configured and what was observed, joined, with their place in the backup. Pure.

A disk belongs to a pool if the configuration says so, or if a device of the pool is that disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from bkp.config.places import is_below
from bkp.disk_health.model import Health
from bkp.observations import HOST_PART, PROBE_EVERY, SMART_EVERY
from bkp.state.reading import Readable
from bkp.zfs_health.model import leaf_vdevs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from bkp.config.model import Config
    from bkp.config.storage import Disk, Pool
    from bkp.observations import DiskSeen, HostSeen, Observations, PoolSeen
    from bkp.state.observed import Observed, Part
    from bkp.state.reading import Reading
    from bkp.zfs_health.model import DatasetHealth, Vdev

T = TypeVar("T")

EVERY = {"pools": PROBE_EVERY, "datasets": PROBE_EVERY, "disks": SMART_EVERY, "host": PROBE_EVERY}
LOOKS_MISSED = 3  # so many looks may be missed before what was seen counts as old
CLOCK_SLACK = timedelta(minutes=1)  # a clock that is being set may be so far behind what it wrote


@dataclass(frozen=True)
class PoolEntry:
    """One pool by ZFS's name. `settings` is None if nobody configured it, `part` if the probe does not tell of it.

    `missing`: it was looked for and is not there. `current`: the last look came to a value, and not too
    long ago. `uses` is what of the backup lies on it: `source home`.
    """

    name: str
    settings: Pool | None
    part: Part[PoolSeen] | None
    missing: bool
    current: bool
    uses: tuple[str, ...]

    @property
    def seen(self) -> PoolSeen | None:
        """Return what was last seen of it, however old; None if nothing ever was."""
        return self.part.value if self.part is not None else None

    @property
    def word(self) -> str:
        """Return its state now, in one word: ZFS's, or `suspended`, `missing`, `unknown`."""
        if self.missing:
            return "missing"
        if not self.current or self.seen is None:
            return "unknown"
        health = self.seen.health
        return "suspended" if health.suspended else (health.state or "unknown").lower()


@dataclass(frozen=True)
class DatasetEntry:
    """One dataset. `uses` is what of the backup lies on it; empty for one that has no part in it."""

    name: str
    part: Part[DatasetHealth] | None
    current: bool
    uses: tuple[str, ...]

    @property
    def seen(self) -> DatasetHealth | None:
        """Return what was last seen of it, however old; None if nothing ever was."""
        return self.part.value if self.part is not None else None


@dataclass(frozen=True)
class DiskEntry:
    """One disk by its configured name. `pools` are ZFS's names of those that it belongs to; the rest as for a pool."""

    name: str
    settings: Disk | None
    part: Part[DiskSeen] | None
    missing: bool
    current: bool
    pools: tuple[str, ...]
    uses: tuple[str, ...]

    @property
    def seen(self) -> DiskSeen | None:
        """Return what was last seen of it, however old; None if nothing ever was."""
        return self.part.value if self.part is not None else None

    @property
    def health(self) -> Health:
        """Return its health as it is known now."""
        if self.missing or not self.current or self.seen is None or self.seen.health is None:
            return Health.UNKNOWN
        return self.seen.health.health

    @property
    def paths(self) -> tuple[str, ...]:
        """Return the configured path of a disk, and the device that it was last seen to lead to."""
        paths = (self.settings.path if self.settings else None, self.seen.real_path if self.seen else None)
        return tuple(path for path in paths if path is not None)

    @property
    def place(self) -> str:
        """Return the pools that it belongs to and what of the backup lies on them, in words."""
        return ", ".join((*(f"pool {pool}" for pool in self.pools), *self.uses))


@dataclass(frozen=True)
class Inventory:
    """All of it. A tuple is empty where the observation cannot be read and nothing is configured."""

    pools: tuple[PoolEntry, ...]
    datasets: tuple[DatasetEntry, ...]
    disks: tuple[DiskEntry, ...]
    host: Part[HostSeen] | None

    @property
    def disk_names(self) -> dict[str, str]:
        """Return the names of the disks by the real paths of their devices."""
        return _names_by_path({disk.name: disk.part for disk in self.disks if disk.part is not None})


def take_inventory(config: Config, observations: Observations, now: datetime) -> Inventory:
    """Return it as of `now`. What is configured comes first, in the order of the file."""
    pools, datasets = parts_of(observations.pools), parts_of(observations.datasets)
    disks = parts_of(observations.disks)
    uses = _uses_of_datasets(config, datasets)
    on_pool = _grouped((dataset.partition("/")[0], use) for dataset, words in uses.items() for use in words)
    configured = {config.zpool(name): settings for name, settings in config.pools.items()}
    belongs = _pools_of_disks(config, pools, disks)
    return Inventory(
        pools=tuple(
            PoolEntry(
                name=name,
                settings=configured.get(name),
                part=(part := pools.get(name)),
                missing=_is_missing(observations.pools, part, lambda seen: seen.health.imported),
                current=_is_current(part, "pools", now),
                uses=on_pool.get(name, ()),
            )
            for name in dict.fromkeys((*configured, *pools))
        ),
        datasets=tuple(
            DatasetEntry(name, datasets.get(name), _is_current(datasets.get(name), "datasets", now), uses.get(name, ()))
            for name in dict.fromkeys((*uses, *datasets))
        ),
        disks=tuple(
            DiskEntry(
                name=name,
                settings=config.disks.get(name),
                part=(disk := disks.get(name)),
                missing=_is_missing(observations.disks, disk, lambda seen: seen.real_path is not None),
                current=_is_current(disk, "disks", now),
                pools=belongs.get(name, ()),
                uses=tuple(dict.fromkeys(use for pool in belongs.get(name, ()) for use in on_pool.get(pool, ()))),
            )
            for name in dict.fromkeys((*config.disks, *disks))
        ),
        host=parts_of(observations.host).get(HOST_PART),
    )


def parts_of(reading: Reading[Observed[T]]) -> Mapping[str, Part[T]]:
    """Return the parts of an observation; none if it cannot be read."""
    return reading.value.parts if isinstance(reading, Readable) else {}


def is_old(part: Part[Any], kind: str, now: datetime) -> bool:
    """Return whether the last look was too long ago."""
    return now - part.looked_at > LOOKS_MISSED * EVERY[kind]


def is_ahead(part: Part[Any], now: datetime) -> bool:
    """Return whether a look is said to have been in the future."""
    return part.looked_at > now + CLOCK_SLACK or (part.seen_at is not None and part.seen_at > now + CLOCK_SLACK)


def _is_missing(reading: Reading[Observed[T]], part: Part[T] | None, is_there: Callable[[T], bool]) -> bool:
    """Return whether it is known not to be there; an observation that has no part of it says so, too."""
    if part is None:
        return isinstance(reading, Readable)
    return part.missing or (part.value is not None and not is_there(part.value))


def _is_current(part: Part[Any] | None, kind: str, now: datetime) -> bool:
    if part is None or part.error is not None or part.value is None:
        return False
    return not is_old(part, kind, now) and not is_ahead(part, now)


def leaves(seen: PoolSeen) -> Iterator[tuple[Vdev, str | None]]:
    """Yield the devices of a pool, each with the path of its whole device, where that is known."""
    for vdev in leaf_vdevs(seen.health):
        yield vdev, seen.devices.get(vdev.guid or "") or seen.devices.get(vdev.name)


def _names_by_path(disks: Mapping[str, Part[DiskSeen]]) -> dict[str, str]:
    return {part.value.real_path: name for name, part in disks.items() if part.value and part.value.real_path}


def _pools_of_disks(
    config: Config, pools: Mapping[str, Part[PoolSeen]], disks: Mapping[str, Part[DiskSeen]]
) -> dict[str, tuple[str, ...]]:
    pairs = [(disk, config.zpool(name)) for name, settings in config.pools.items() for disk in settings.disks]
    names = _names_by_path(disks)
    for pool, part in pools.items():
        if part.value is not None:
            pairs += [(names[path], pool) for _, path in leaves(part.value) if path in names]
    return _grouped(pairs)


def _uses_of_datasets(config: Config, datasets: Mapping[str, Part[DatasetHealth]]) -> dict[str, tuple[str, ...]]:
    """Return what lies on each dataset, as far as the configuration and the mount points tell."""
    pairs: list[tuple[str, str]] = []
    for name, source in config.sources.items():
        if source.dataset is not None:
            below = [each for each in datasets if each.startswith(f"{source.dataset}/")]
            left_out = [each for each in below if any(f"{each}/".startswith(f"{skip}/") for skip in source.skip)]
            pairs += [(each, f"source {name}") for each in (source.dataset, *below) if each not in left_out]
        elif source.path is not None and (holder := _holder(source.path, datasets)) is not None:
            pairs.append((holder, f"source {name}"))
    for name, repository in config.repositories.items():
        if repository.path.startswith("/") and (holder := _holder(repository.path, datasets)) is not None:
            pairs.append((holder, f"repository {name}"))
    return _grouped(pairs)


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Return what stands beside each first word, in order and once."""
    found: dict[str, dict[str, None]] = {}
    for first, second in pairs:
        found.setdefault(first, {})[second] = None
    return {first: tuple(each) for first, each in found.items()}


def _holder(path: str, datasets: Mapping[str, Part[DatasetHealth]]) -> str | None:
    """Return the dataset on which a path lies, by mount points; None where it is on none that is known."""
    holders = [
        (len(seen.mountpoint), name)
        for name, part in datasets.items()
        if (seen := part.value) is not None
        and seen.mountpoint is not None
        and seen.mountpoint.startswith("/")
        and seen.can_mount != "off"
        and is_below(path, seen.mountpoint)
    ]
    return max(holders)[1] if holders else None
