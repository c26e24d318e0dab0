"""Which datasets of a source the night's snapshot does not hold, and why: a pure function of what zfs listed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from bkp.tools.zfs.replies import Dataset


@dataclass(frozen=True)
class Unheld:
    """Why a dataset has no snapshot. `lost`: its files are there, and were to be archived."""

    reason: str
    lost: bool = False


GONE = Unheld("it was destroyed or renamed while the night began")
NEW = Unheld("it was created while the snapshot was taken; the next night has it")
RECEIVED = Unheld("it was still being received when the snapshot was taken; the next night has it")
NOT_RECEIVED = Unheld("no snapshot of it has been received completely yet")
NOT_REPLICATED = Unheld(
    "its replication does not receive it (recursive: false): make it a source of its own, or skip it"
)
_RECEIVING = "it is still being received, and has no files before that is complete"


def unheld(before: Iterable[Dataset], after: Iterable[Dataset], held: Collection[str]) -> dict[str, Unheld]:
    """Return the datasets without a snapshot, by name.

    Args:
        before: the datasets before the snapshot.
        after: those that are there since it is held.
        held: the names of those that have it.
    """
    known = {(each.name, each.guid): each for each in before}
    there = {each.name: each for each in after}
    found = {name: _why(each, known.get((name, each.guid))) for name, each in there.items() if name not in held}
    return found | {name: GONE for name, _ in known if name not in there}


def unreceived(there: Iterable[Dataset], held: Collection[str], target: str | None) -> dict[str, Unheld]:
    """Return the datasets of a replica without a received snapshot, by name.

    `target` is the one dataset that a replication without children receives; None where it receives all.
    """
    found = {}
    for each in there:
        if target is not None and each.name != target:
            found[each.name] = NOT_REPLICATED
        elif each.name not in held:
            found[each.name] = Unheld(_receiving(each)) if each.receiving else NOT_RECEIVED
    return found


def taken_away(dataset: str) -> str:
    """Return the problem of a dataset whose snapshot somebody destroyed between `zfs snapshot` and `zfs hold`."""
    by_whom = f"`zpool history -i {dataset.partition('/')[0]}` says by what"
    return f"has no snapshot: somebody destroyed it before it could be held ({by_whom})"


def _why(dataset: Dataset, before: Dataset | None) -> Unheld:
    if dataset.receiving:  # zfs snapshot -r passes over such a dataset
        return Unheld(_receiving(dataset))
    if before is None:
        return NEW
    return RECEIVED if before.receiving else Unheld(taken_away(dataset.name), lost=True)


def _receiving(dataset: Dataset) -> str:
    cut_off = f"; if it was cut off, resume it, or give it up by `zfs receive -A {dataset.name}`"
    return _RECEIVING + (cut_off if dataset.resumable else "")
