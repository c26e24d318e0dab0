"""File systems that are mounted below a source and are in no archive, because borg stays on the source's own."""

from __future__ import annotations

import os.path
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bkp.config.places import archived, is_below
from bkp.tools.mounts import parse_fstab, parse_mountinfo
from runner.sources.plan import is_within

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from bkp.tools.mounts import Mount

_ON_DEMAND, _OF_SUBVOLUMES = "autofs", "btrfs"
# What the kernel or a running program makes up, and what only shows other folders: nothing that a restore would want.
_PASSING = frozenset(
    {
        *("autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs"),
        *("fuse.gvfsd-fuse", "fuse.lxcfs", "fuse.portal", "fusectl", "hugetlbfs", "mqueue", "nsfs", "overlay", "proc"),
        *("pstore", "ramfs", "rpc_pipefs", "securityfs", "selinuxfs", "squashfs", "sysfs", "tmpfs", "tracefs"),
    }
)
_NAMED = 5
MOST_MOUNTS = 200  # of one root, in its record


@dataclass(frozen=True)
class LiveTree:
    """One root of a source, as borg finds it; people see a dataset where it is mounted."""

    path: str
    dataset: str | None = None


def unarchived(
    mountinfo: str, trees: Sequence[LiveTree], judged: Collection[str], exclude: Sequence[str]
) -> list[tuple[Mount, str]]:
    """Return the file systems that lie below one of the trees and in no archive, each with where that tree is seen.

    Args:
        mountinfo: /proc/self/mountinfo (proc(5)), before any snapshot was mounted.
        trees: all roots from which borg does not go on to other file systems.
        judged: datasets whose source has said of each below what becomes of it, also of one that is gone since.
        exclude: what borg leaves out; what somebody excluded is known not to be archived.
    """
    mounts = parse_mountinfo(mountinfo)
    seen = {tree: _seen_at(tree, mounts) for tree in trees}
    found: dict[str, tuple[Mount, str]] = {}
    for tree, live in seen.items():
        own = _device_of(live, mounts)
        for mount in mounts:
            if mount.point in seen.values() or not is_below(mount.point, live):
                continue
            # a bind mount of the tree's own files is archived where they are; a snapshot is what somebody looks into
            if mount.device == own or mount.kind in _PASSING or is_within(mount.source, judged) or "@" in mount.source:
                continue
            place = os.path.normpath(f"{tree.path}/{os.path.relpath(mount.point, live)}")
            if archived(place, tree.path, exclude):
                found[mount.point] = (mount, live)
    return list(found.values())


def judged_points(mountinfo: str, trees: Iterable[str]) -> frozenset[str]:
    """Return where something is mounted of which `unarchived` says what has to be said.

    Subvolumes of the Btrfs that a tree lies on are not among them: the table gives them its device, stat(2) does not.
    """
    mounts = parse_mountinfo(mountinfo)
    own = {_device_of(tree, mounts) for tree in trees}
    return frozenset(mount.point for mount in mounts if mount.kind != _OF_SUBVOLUMES or mount.device not in own)


def passed_over(folders: Iterable[str], judged: Collection[str], roots: Collection[str]) -> list[str]:
    """Return what to say of folders on other file systems of which nothing was said yet: one sentence, or none.

    Args:
        folders: where a walk of the trees met another device, and so borg did.
        judged: where something is mounted of which `unarchived` has said it already (`judged_points`).
        roots: what is archived for its own sake.
    """
    found = sorted(folder for folder in folders if folder not in judged and folder not in roots)
    if not found:
        return []
    more = f" and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
    named = f"not archived, as on a file system of its own (a Btrfs subvolume, say): {', '.join(found[:_NAMED])}{more}"
    return [f"{named}; make each a source of its own, exclude it, or set one_file_system: false"]


def lacking(fstab: str, mountinfo: str, trees: Iterable[str], exclude: Sequence[str]) -> list[tuple[str, str]]:
    """Return what /etc/fstab wants mounted below a tree and is not, each with the tree: the archive lacks its files.

    `trees` are the roots of sources that are archived across file systems.
    """
    there = {mount.point for mount in parse_mountinfo(mountinfo)}
    wanted = [os.path.normpath(point) for point in parse_fstab(fstab)]
    return [
        (point, tree)
        for tree in trees
        for point in wanted
        if point not in there and point != tree and archived(point, tree, exclude)
    ]


def mounted_in(mountinfo: str, tree: str, real: str, exclude: Iterable[str], *, across: bool) -> tuple[str, ...]:
    """Return where file systems are mounted whose files an archive of `tree` holds: at it and, if `across`, below it.

    `real` is where the tree lies, as the table of mounts has it, which knows no links. What the kernel makes up is none
    of them, nor is what is mounted on demand below one place and goes by itself; that place is. Of Btrfs there may be
    some that only show another folder of the tree's own.
    """
    mounts, exclude = parse_mountinfo(mountinfo), tuple(exclude)
    own = _device_of(real, mounts)
    on_demand = [mount.point for mount in mounts if mount.kind == _ON_DEMAND]
    found: dict[str, None] = {}
    for mount in mounts:
        point, passing = mount.point, mount.kind in _PASSING and mount.kind != _ON_DEMAND
        if passing or "@" in mount.source or any(is_below(point, each) and point != each for each in on_demand):
            continue
        other = mount.device != own or mount.kind == _OF_SUBVOLUMES
        if point == real or (across and other and is_below(point, real)):
            place = os.path.normpath(f"{tree}/{os.path.relpath(point, real)}")
            if archived(place, tree, exclude):
                found[place] = None
    return tuple(sorted(found)[:MOST_MOUNTS])


def _seen_at(tree: LiveTree, mounts: Iterable[Mount]) -> str:
    points = (mount.point for mount in mounts if mount.kind == "zfs" and mount.whole and mount.source == tree.dataset)
    return next(points, tree.path)


def _device_of(path: str, mounts: Iterable[Mount]) -> str | None:
    above = [mount for mount in mounts if is_below(path, mount.point)]
    return max(above, key=lambda mount: len(mount.point)).device if above else None
