"""How far a replica is behind: a pure function of the snapshots of both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.state.results import Partial, ReplicaDataset

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from bkp.state.results import SyncResult
    from bkp.tools.zfs.replies import Dataset, Snapshot


def common(
    source: str,
    target: str,
    there: Mapping[str, Sequence[Snapshot]],
    here: Iterable[Snapshot],
    datasets: Iterable[Dataset] = (),
) -> tuple[ReplicaDataset, ...]:
    """Return the newest snapshot that each dataset of the live server has in common with its replica.

    Snapshots are the same if their guids are: a name can be given twice. `there` maps each dataset that is to be pulled
    to its snapshots, `here` are those of the replica and all below it, which are `datasets`.
    """
    known = {each.name: each.guid for each in datasets}
    guids: dict[str, dict[str, Snapshot]] = {}
    for each in here:
        guids.setdefault(each.dataset, {})[each.guid] = each
    found = []
    for dataset, snapshots in there.items():
        replica = target + dataset.removeprefix(source)
        shared = [each for each in snapshots if each.guid in guids.get(replica, {})]
        newest = max(shared, key=lambda each: guids[replica][each.guid].createtxg, default=None)
        found.append(
            ReplicaDataset(
                dataset=replica,
                guid=known.get(replica),
                snapshot=newest.name if newest else None,
                snapshot_at=newest.created_at if newest else None,
            )
        )
    return tuple(found)


def no_longer(before: SyncResult | None, found: Iterable[ReplicaDataset], here: Iterable[Dataset]) -> list[str]:
    """Return the replicas that are here, and that the last pull compared and this one could not: nobody pulls them."""
    told, there = {each.dataset for each in found}, {each.name for each in here}
    datasets = before.datasets or () if before is not None else ()
    return [each.dataset for each in datasets if each.dataset in there and each.dataset not in told]


def ahead(found: Iterable[ReplicaDataset], here: Iterable[Snapshot]) -> tuple[str, ...]:
    """Return the replicas that have a newer snapshot than the newest in common: destroyed over there, or made here."""
    newest: dict[str, Snapshot] = {}
    for each in here:
        if each.dataset not in newest or newest[each.dataset].createtxg < each.createtxg:
            newest[each.dataset] = each
    return tuple(
        each.dataset for each in found if each.dataset in newest and newest[each.dataset].name != each.snapshot
    )


def partials(
    datasets: Iterable[Dataset], found: Iterable[ReplicaDataset], before: SyncResult | None, now: datetime
) -> tuple[Partial, ...]:
    """Return the receives that were cut off, each with when that was seen first.

    One that is still there after the dataset has received more is another one.
    """
    known = {each.dataset: each for each in before.partial} if before is not None else {}
    newest = {each.dataset: each.snapshot for each in found}
    result = []
    for dataset in datasets:
        if dataset.resumable:
            last, base = known.get(dataset.name), newest.get(dataset.name)
            since = last.since if last is not None and last.base == base else now
            result.append(Partial(dataset=dataset.name, since=since, base=base))
    return tuple(result)
