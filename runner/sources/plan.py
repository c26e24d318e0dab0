"""Which snapshot lies over which folder: a pure function of the datasets, the mounts and the configuration."""

from __future__ import annotations

import os.path
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bkp.config.places import archived, is_below
from runner.sources.base import Omitted, PreparedRoot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bkp.tools.zfs.replies import Dataset
    from runner.sources.unheld import Unheld

    Mounts = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Placement:
    """What is mounted where, parents first; a root with a problem is not mounted."""

    roots: tuple[PreparedRoot, ...]
    left_out: tuple[Omitted, ...]


def plan(
    datasets: Sequence[Dataset],
    mounts: Mounts,
    *,
    mount_at: str | None = None,
    skip: Iterable[str] = (),
    unheld: Mapping[str, Unheld] | None = None,
) -> Placement:
    """Return where each dataset's snapshot is to be mounted: over its own live path, or below the fixed `mount_at`.

    `datasets` begins with the source's own; `mounts` says where each is mounted now, `unheld` why some have no
    snapshot. A source none of whose datasets can be archived is a missing root: it must never pass for archived.
    """
    fixed = os.path.normpath(mount_at) if mount_at else None
    found = [
        _place(dataset, datasets[0], mounts, fixed, frozenset(skip), (unheld or {}).get(dataset.name))
        for dataset in sorted(datasets, key=lambda each: each.name)
    ]
    roots = [each for each in found if isinstance(each, PreparedRoot)]
    left_out = [each for each in found if isinstance(each, Omitted)]
    if datasets and not roots:
        reasons = "; ".join(f"{each.dataset}: {each.reason}" for each in left_out)
        top = datasets[0].name
        return Placement((PreparedRoot(top, top, f"holds nothing that can be archived ({reasons})"),), tuple(left_out))
    seen = _one_for_each_path((root for root in roots if root.problem is None), mounts)
    overlaid = [root for root in roots if root.problem is None and seen[root.path] is not root]
    left_out += [_overlaid(root, seen[root.path]) for root in overlaid]
    ordered = sorted(
        (root for root in roots if root not in overlaid), key=lambda root: (root.path.count("/"), root.path)
    )
    return Placement(tuple(ordered), tuple(left_out))


def _place(
    dataset: Dataset, top: Dataset, mounts: Mounts, mount_at: str | None, skip: frozenset[str], unheld: Unheld | None
) -> PreparedRoot | Omitted:
    if is_within(dataset.name, skip):
        return Omitted(dataset.name, "skipped by the configuration", warn=False)
    if unheld is not None and not unheld.lost:
        return Omitted(dataset.name, unheld.reason, warn=True)
    if dataset.is_volume:
        return Omitted(
            dataset.name, "it is a volume, of which borg sees no files; back it up otherwise and skip it", True
        )
    if dataset.canmount == "off" and dataset.name not in mounts:
        return Omitted(dataset.name, "canmount=off: it has no files of its own to see", warn=False)
    live = _live_path(dataset, mounts)
    path = _fixed(dataset, top, live, _live_path(top, mounts), mount_at) if mount_at else live
    if unheld is not None:
        return PreparedRoot(path or dataset.name, dataset.name, unheld.reason)
    if path is not None and ("\n" in path or "\t" in path):  # neither borg's messages nor ours could name it
        reason = f"its path {path!r} holds a line feed or a tab; give it another mount point, or skip it"
        return Omitted(dataset.name, reason, warn=True)
    if dataset.key_loaded is False:
        return PreparedRoot(path or dataset.name, dataset.name, f"is locked: the key of {dataset.name} is not loaded")
    if path is not None:
        return PreparedRoot(path, dataset.name, guid=dataset.guid)
    if live is not None:
        reason = f"its path {live} does not lie below that of {top.name}: there is no place for it below {mount_at}"
        return Omitted(dataset.name, f"{reason}; make it a source of its own, or skip it", warn=True)
    reason = f"mountpoint={dataset.mountpoint} and not mounted: it has no path; "
    remedy = "mount it, or skip it" if mount_at or dataset.name != top.name else "mount it, or set mount_at"
    return Omitted(dataset.name, reason + remedy, warn=True)


def is_within(dataset: str, tops: Iterable[str]) -> bool:
    """Return whether a dataset is one of these, or below one of them."""
    return any(dataset == each or dataset.startswith(f"{each}/") for each in tops)


def _live_path(dataset: Dataset, mounts: Mounts) -> str | None:
    """Return where its files are: at its mount point, where else it is mounted, or where it would be."""
    paths = mounts.get(dataset.name, ())
    if paths and dataset.mountpoint not in paths:
        return paths[0]
    return dataset.mountpoint if dataset.mountpoint.startswith("/") else None


def _fixed(dataset: Dataset, top: Dataset, live: str | None, top_live: str | None, mount_at: str) -> str | None:
    if dataset.name == top.name:
        return mount_at
    if live is None or top_live is None or not is_below(live, top_live):
        return None
    return os.path.normpath(f"{mount_at}/{os.path.relpath(live, top_live)}")


def _one_for_each_path(roots: Iterable[PreparedRoot], mounts: Mounts) -> dict[str, PreparedRoot]:
    """Return the root that people see at each path: of two datasets with one path the one mounted last."""
    order = {dataset: number for number, dataset in enumerate(mounts)}
    seen: dict[str, PreparedRoot] = {}
    for root in sorted(roots, key=lambda each: order.get(each.dataset or "", -1)):
        seen[root.path] = root
    return seen


def _overlaid(root: PreparedRoot, above: PreparedRoot) -> Omitted:
    reason = f"{above.dataset} is mounted at {root.path}, too, and hides it; give it a path of its own, or skip it"
    return Omitted(root.dataset or "", reason, warn=True)


def hidden(roots: Iterable[PreparedRoot], needed: Mapping[str, str]) -> str | None:
    """Return why the snapshots must not be mounted there, or None.

    `needed` maps what the run needs (repository, cache, state, log, other sources) to its path: below a covered mount
    point it would turn read-only and old, or vanish. Links on the way to either are followed.
    """
    for root in roots:
        covered = os.path.realpath(root.path)
        for what, path in needed.items():
            if root.problem is None and (is_below(path, root.path) or is_below(os.path.realpath(path), covered)):
                return f"the {what} ({path}) lies below {root.path}, which the snapshot of {root.dataset} would cover"
    return None


def swallowed(
    roots: Iterable[PreparedRoot], mounts: Mounts, owner: str | None, repository: str, exclude: Sequence[str]
) -> str | None:
    """Return the path under which `mount_at` would have a repository archived into itself; None if it would not.

    `owner` is the dataset that the repository lies on, `exclude` what borg leaves out. borg passes over its own
    repository by device and inode, and a snapshot of it is another device: every night would archive all nights before.
    """
    for root in roots:
        live = next((path for path in mounts.get(root.dataset or "", ()) if is_below(repository, path)), None)
        if root.problem is None and root.dataset == owner and live is not None:
            place = os.path.normpath(f"{root.path}/{os.path.relpath(repository, live)}")
            if archived(place, root.path, exclude):
                return place
    return None
