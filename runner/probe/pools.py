"""One pool: its status, its space, its datasets and their snapshots. What the programs answer is handed in."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from bkp.observations import PoolSeen
from bkp.state.observed import seen
from bkp.zfs_health.from_json import read_status_json
from bkp.zfs_health.from_text import read_status
from bkp.zfs_health.listing import (
    read_datasets,
    read_keys,
    read_pools,
    read_snapshots,
    with_keys,
    with_snapshots,
    with_space,
)
from bkp.zfs_health.model import DatasetHealth, PoolHealth, Reading
from runner.probe import commands
from runner.probe.host import imported_pools
from runner.probe.sight import Sight, Unseen, merged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from bkp.clock import Clock
    from bkp.state.observed import Part
    from bkp.zfs_health.model import Snapshots
    from runner.probe.asking import Ask, ToolAnswer
    from runner.probe.devices import Host

SUSPENDED = "SUSPENDED"
_NOT_THERE = "no such pool"


@dataclass(frozen=True)
class PoolLook:
    """What one look at a pool gave. `notes` are what could not be seen of a pool that was seen.

    `datasets` is None for a pool that nobody configured: its datasets are not asked for.
    """

    name: str
    status: Sight[PoolHealth]
    datasets: Sight[tuple[DatasetHealth, ...]] | None
    notes: tuple[str, ...] = ()


def pool_names(host: Host, ask: Ask) -> tuple[tuple[str, ...], str | None]:
    """Return the imported pools, by the kernel's list or else by zpool's, and why zpool could not tell them all."""
    names = imported_pools(host)
    if names is not None:
        return names, None
    answer = ask(commands.POOL_NAMES, commands.ZPOOL_SECONDS)
    return tuple(line for line in answer.text.splitlines() if line), answer.refusal


def look_at_pool(name: str, ask: Ask, clock: Clock, kernel_state: str | None, *, configured: bool) -> PoolLook:
    """Look at one pool. `kernel_state` is the kernel's own word for its state, which can be had while zpool hangs."""
    answer, reading = _status(name, ask, clock)
    at = clock()
    found = _pool(name, answer, reading)
    if isinstance(found, Unseen):
        if not found.missing and kernel_state == SUSPENDED:
            told = f"{found.reason}; that the pool is suspended is the kernel's own word"
            found = PoolHealth(name=name, state=SUSPENDED, suspended=True, problems=(told,))
        unseen = Unseen(found.reason, missing=found.missing) if isinstance(found, Unseen) else Unseen("it is suspended")
        return PoolLook(name, Sight(answer.source, at, found), _no_datasets(name, at, unseen) if configured else None)
    found, notes = _with_space(found, ask(commands.space(name), commands.ZPOOL_SECONDS))
    if kernel_state == SUSPENDED:
        found = msgspec.structs.replace(found, suspended=True)
    status = Sight(answer.source, at, found)
    if not configured:
        return PoolLook(name, status, None, notes)
    if found.suspended:
        lost = Unseen(f"pool {name} is suspended: zfs would hang")
        return PoolLook(name, status, _no_datasets(name, at, lost), notes)
    datasets, more = _datasets(name, ask, clock)
    return PoolLook(name, status, datasets, notes + more)


def _no_datasets(name: str, at: datetime, why: Unseen) -> Sight[tuple[DatasetHealth, ...]]:
    return Sight(shlex.join(commands.datasets(name)), at, why)


def _status(name: str, ask: Ask, clock: Clock) -> tuple[ToolAnswer, Reading]:
    answer = ask(commands.status_json(name), commands.ZPOOL_SECONDS)
    if answer.exit_code and "invalid option" in answer.stderr:
        answer = ask(commands.status_text(name), commands.ZPOOL_SECONDS)
        return answer, read_status(answer.text)
    return answer, read_status_json(answer.stdout, now=clock())


def _pool(name: str, answer: ToolAnswer, reading: Reading) -> PoolHealth | Unseen:
    if answer.problem is not None:
        return Unseen(answer.problem)
    pool = next((each for each in reading.pools if each.name == name), None)
    if pool is not None:
        return pool
    if _NOT_THERE in answer.stderr:
        return Unseen(f"no pool {name} is imported", missing=True)
    return Unseen(answer.refusal or reading.problem or f"zpool status does not tell of pool {name}")


def _with_space(pool: PoolHealth, answer: ToolAnswer) -> tuple[PoolHealth, tuple[str, ...]]:
    if (refusal := answer.refusal) is not None:
        return pool, (f"space of pool {pool.name}: {refusal}",)
    rows, problems = read_pools(answer.text)
    whole = with_space(Reading(pools=(pool,)), [row for row in rows if row.name == pool.name]).pools[0]
    if whole.space is None and not problems:
        problems = ("zpool list does not tell of it",)
    return whole, tuple(f"space of pool {pool.name}: {each}" for each in problems)


def _datasets(name: str, ask: Ask, clock: Clock) -> tuple[Sight[tuple[DatasetHealth, ...]], tuple[str, ...]]:
    answer = ask(commands.datasets(name), commands.ZFS_SECONDS)
    if (refusal := answer.refusal) is not None:
        return Sight(answer.source, clock(), Unseen(refusal)), ()
    found, problems = read_datasets(answer.text)
    if not found:
        return Sight(answer.source, clock(), Unseen(problems[0] if problems else "zfs list printed nothing")), ()
    keys, more = _keys(found, ask)
    listed = ask(commands.snapshots(name), commands.ZFS_SECONDS)
    snapshots: dict[str, Snapshots] = {}
    gaps: tuple[str, ...] = ()
    if (refusal := listed.refusal) is not None:
        gaps = (refusal,)
    else:
        snapshots, gaps = read_snapshots(listed.text)
    notes = [f"datasets of pool {name}: {each}" for each in problems]
    notes += [f"keys of pool {name}: {each}" for each in more]
    notes += [f"snapshots of pool {name}: {each}" for each in gaps]
    return Sight(answer.source, clock(), with_snapshots(with_keys(found, keys), snapshots, gaps)), tuple(notes)


def _keys(datasets: Iterable[DatasetHealth], ask: Ask) -> tuple[dict[str, dict[str, str]], tuple[str, ...]]:
    """Return what tells the keys of the encryption roots from others, and what could not be had of it."""
    roots = sorted({each.encryption_root for each in datasets if each.encryption_root is not None})
    if not roots:
        return {}, ()
    answer = ask(commands.keys(roots), commands.ZFS_SECONDS)
    if answer.problem is None and "bad property" in answer.stderr:
        answer = ask(commands.keys(roots, salt=False), commands.ZFS_SECONDS)
    if (refusal := answer.refusal) is not None:
        return {}, (refusal,)
    return read_keys(answer.text)


def merge_pools(
    looks: Iterable[PoolLook],
    before: Mapping[str, Part[PoolSeen]],
    devices_of: Callable[[PoolHealth], dict[str, str]],
    configured: Iterable[str],
) -> dict[str, Part[PoolSeen]]:
    """Return the parts of the pools. Where zpool hangs, the devices are those that were seen before."""
    wanted = set(configured)
    parts = {}
    for look in looks:
        old = before.get(look.name)
        found = look.status.found
        value: PoolSeen | Unseen
        if isinstance(found, Unseen):
            value = found
        else:
            known = old.value.devices if old is not None and old.value is not None else {}
            devices = devices_of(found) if found.vdevs else known
            value = PoolSeen(health=found, devices=devices, configured=look.name in wanted)
        parts[look.name] = merged(Sight(look.status.source, look.status.at, value), old)
    return parts


def merge_datasets(
    looks: Iterable[PoolLook], before: Mapping[str, Part[DatasetHealth]]
) -> dict[str, Part[DatasetHealth]]:
    """Return the parts of the datasets. Of a pool whose datasets cannot be seen, those known before stay."""
    parts: dict[str, Part[DatasetHealth]] = {}
    for look in looks:
        if look.datasets is None:
            continue
        source, at, found = look.datasets.source, look.datasets.at, look.datasets.found
        if isinstance(found, Unseen):
            names = [name for name in before if f"{name}/".startswith(f"{look.name}/")] or [look.name]
            parts |= {name: merged(Sight(source, at, found), before.get(name)) for name in names}
        else:
            parts |= {each.name: seen(each, source, at) for each in found}
    return parts
