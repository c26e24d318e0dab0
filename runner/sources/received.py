"""Which snapshot of each dataset of a replica is archived: a pure function of what zfs listed.

Nothing is created: a snapshot of our own, newer than the last received one, would keep every receive from ending. A
snapshot is there only when all of it was received.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.sources.marks import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from bkp.tools.zfs.replies import Snapshot


def choose(snapshots: Iterable[Snapshot], patience: timedelta) -> dict[str, Snapshot]:
    """Return the snapshot to archive of each dataset that has one.

    That is the newest which all datasets have under one name, as a live server's recursive snapshot has it; but none
    that is older than another by more than `patience`: then each dataset's own newest. A dataset whose newest is older
    than the others' by more than that (destroyed on the live server, say) has no say in it.
    """
    found: dict[str, dict[str, Snapshot]] = {}
    for each in snapshots:
        if not each.name.startswith(PREFIX):
            found.setdefault(each.dataset, {})[each.name] = each
    newest = {dataset: max(names.values(), key=_order) for dataset, names in found.items()}
    if not newest:
        return {}
    limit = max(each.created_at for each in newest.values()) - patience
    timely = [dataset for dataset, each in newest.items() if each.created_at >= limit]
    shared = set.intersection(*(set(found[dataset]) for dataset in timely))
    good = [name for name in shared if all(found[dataset][name].created_at >= limit for dataset in timely)]
    if not good:
        return newest
    name = max(good, key=lambda each: _order(found[timely[0]][each]))
    return newest | {dataset: found[dataset][name] for dataset in timely}


def _order(snapshot: Snapshot) -> int:
    return snapshot.createtxg
