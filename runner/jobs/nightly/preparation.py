"""What a night reads, made ready: every source snapshotted and mounted or looked at, and what is wrong with it told."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from msgspec.structs import replace as replace_fields

from bkp.errors import StepFailedError
from bkp.own_excludes import confined
from bkp.patience import NoAnswerError, in_time
from bkp.patterns import excluder
from bkp.quantities import format_duration
from bkp.tools.mounts import FSTAB, mount_table
from bkp.tools.zfs.commands import Programs
from bkp.tools.zfs.replies import parse_mounts
from runner.jobs.nightly.vanished import held_in, made_anew, unmounted_since, with_vanished
from runner.sources.base import is_mount
from runner.sources.directory import DirectorySource
from runner.sources.each_other import each_other
from runner.sources.nested import LiveTree, judged_points, lacking, mounted_in, passed_over, unarchived

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Iterable, Mapping, Sequence

    from bkp.config.model import Config
    from bkp.patterns import Matcher
    from bkp.state.results import Archive
    from runner.borg_session import BorgSession
    from runner.sources.base import PreparedRoot, PreparedSource, SourceKind


@dataclass(frozen=True)
class Ready:
    """What a night reads: the sources, all patterns that borg is given, and the mount points that are told of."""

    sources: list[PreparedSource]
    excludes: tuple[str, ...]
    judged: frozenset[str]


def prepare(
    session: BorgSession,
    stack: contextlib.ExitStack,
    programs: Programs | None,
    good: Sequence[Archive],
) -> Ready:
    """Make all sources of the repository readable until `stack` closes, and tell what is wrong with any of them.

    `good` are the good archives of earlier nights, oldest first. Raise `StepFailedError` if nothing can be read at all.
    """
    mountinfo = mount_table((programs or Programs()).mountinfo)  # before any snapshot is mounted
    patience, held = session.patience, held_in(good)
    found: list[PreparedSource] = []
    for name in session.repository.sources:
        source = session.config.sources[name]
        kind = DirectorySource(patience) if source.dataset is None else _dataset_source(session, name, found, programs)
        found.append(with_vanished(stack.enter_context(kind.prepare(name, source)), held))
    found = _with_own_excludes(found, _each_other(session, mountinfo, patience))
    excludes = tuple(pattern for each in found for pattern in each.source.exclude)
    found = [_with_mounts(_without_excluded(each, excluder(excludes)), mountinfo, patience) for each in found]
    roots = [root for each in found for root in each.roots]
    problems = [f"{root.path} {root.problem}" for root in roots if root.problem]
    session.tell("error", problems)
    unasked = [f"{out.dataset} is not archived: {out.reason}" for each in found for out in each.left_out if out.warn]
    anew = [said for each in found for said in made_anew(each, held)]
    session.tell("warning", unasked + anew + _old(session, found) + _nested(mountinfo, found, excludes, good))
    if len(problems) == len(roots):
        raise StepFailedError("no source can be read: " + "; ".join(problems), remedy="mount or correct them")
    return Ready(found, excludes, judged_points(mountinfo, [root.path for root in roots]))


def tell_passed_over(session: BorgSession, ready: Ready, folders: Iterable[str]) -> None:
    """Warn of folders that borg did not go into and nothing was said of: Btrfs subvolumes, say."""
    roots = [root.path for each in ready.sources for root in each.roots]
    session.tell("warning", passed_over(folders, ready.judged, roots))


def tell_empty(session: BorgSession, ready: Ready, roots: Iterable[str]) -> None:
    """Warn of directories of which the archive holds nothing but folders; a dataset may well have none but children."""
    own = {root.path: each.name for each in ready.sources for root in each.roots if root.dataset is None}
    empty = [f"no file of source {own[path]} ({path}) is archived" for path in roots if path in own]
    session.tell("warning", [f"{each}: it holds none, or the excludes leave out all of them" for each in empty])


def _each_other(session: BorgSession, mountinfo: str, patience: float) -> dict[str, list[str]]:
    """Return a pattern for each repository that would archive this one in turn, by source, and tell of it."""
    try:
        found = in_time(lambda: each_other(session.config, session.target, parse_mounts(mountinfo)), patience)
    except NoAnswerError:  # its source is a problem already, or another repository's
        return {}
    patterns: dict[str, list[str]] = {}
    for inside in found:
        pattern = f"pp:{inside.place}"
        patterns.setdefault(inside.source, []).append(pattern)
        remedy = f"write sources.{inside.source}.exclude: ['{pattern}'], or move it"
        why = f"it archives {session.target} in turn, and both would grow every night; {remedy}"
        where = f"the repository {inside.repository} ({inside.place}) lies in source {inside.source}"
        session.tell("warning", [f"{where} and is not archived: {why}"])
    return patterns


def _with_own_excludes(prepared: Sequence[PreparedSource], more: Mapping[str, list[str]]) -> list[PreparedSource]:
    """Return the sources with patterns that leave out nothing of each other."""
    excludes = {each.name: (*each.source.exclude, *more.get(each.name, ())) for each in prepared}
    own = confined(excludes, {each.name: [root.path for root in each.roots] for each in prepared})
    return [replace(each, source=replace_fields(each.source, exclude=own[each.name])) for each in prepared]


def _with_mounts(prepared: PreparedSource, mountinfo: str, patience: float) -> PreparedSource:
    """Return a directory with the file systems that its archive holds; of a dataset each is a root of its own."""
    source = prepared.source
    if source.dataset is not None:
        return prepared

    def mounts(root: PreparedRoot) -> tuple[str, ...]:
        try:
            real = in_time(lambda: os.path.realpath(root.path), patience)
        except OSError:
            return ()
        found = mounted_in(mountinfo, root.path, real, source.exclude, across=not source.one_file_system)
        return tuple(place for place in found if place == root.path or is_mount(place, patience))

    roots = (root if root.problem is not None else replace(root, mounts=mounts(root)) for root in prepared.roots)
    return replace(prepared, roots=tuple(roots))


def _nested(
    mountinfo: str, prepared: Sequence[PreparedSource], excludes: Sequence[str], good: Sequence[Archive]
) -> list[str]:
    """Return what to say of the file systems below the sources that no archive holds, or tonight's does not."""
    trees = [
        LiveTree(root.path, root.dataset)
        for each in prepared
        for root in each.roots
        if each.source.one_file_system and root.problem is None
    ]
    across = [
        root.path
        for each in prepared
        for root in each.roots
        if not each.source.one_file_system and each.source.dataset is None and root.problem is None
    ]
    try:
        fstab = mount_table(FSTAB) if across else ""
    except OSError:  # there is none, or it cannot be read: nothing is promised
        fstab = ""
    wanted = {
        point: f"{point} is to be mounted below {tree} (/etc/fstab) and is not: the archive lacks what it holds; mount "
        "it, or exclude it"
        for point, tree in lacking(fstab, mountinfo, across, excludes)
    }
    gone = [*wanted.values(), *(said for place, said in unmounted_since(prepared, good) if place not in wanted)]
    judged = [each.source.dataset for each in prepared if each.source.dataset is not None]
    return gone + [
        f"{mount.point} ({mount.source}) is mounted below {tree} and not archived: "
        "make it a source of its own, or exclude it"
        for mount, tree in unarchived(mountinfo, trees, judged, excludes)
    ]


def _old(session: BorgSession, prepared: Sequence[PreparedSource]) -> list[str]:
    """Return what to say of replicas whose newest received snapshot is older than is usual."""
    now, said = session.clock(), []
    for root in (root for each in prepared for root in each.roots if root.problem is None):
        pull = session.config.replication_of(root.dataset or "")
        if pull is None or root.snapshot_at is None:
            continue
        age = now - root.snapshot_at
        if age > session.config.replications[pull].lag_warning:
            said.append(
                f"{root.path} is archived as it was {format_duration(age)} ago: {root.dataset}@{root.snapshot} is "
                f"the newest snapshot that was received; `bkp-run sync --target {pull}` pulls now"
            )
    return said


def _without_excluded(prepared: PreparedSource, excluded: Matcher) -> PreparedSource:
    """Return the source with a problem at each root that borg would leave out without a word."""
    roots = tuple(
        replace(root, problem="is left out by an exclude") if root.problem is None and excluded(root.path) else root
        for root in prepared.roots
    )
    return replace(prepared, roots=roots)


def _dataset_source(
    session: BorgSession,
    name: str,
    before: Sequence[PreparedSource],
    programs: Programs | None,
) -> SourceKind:
    from bkp.tools.zfs.client import Zfs  # a host without ZFS does not pay for it
    from runner.sources.dataset import DatasetSource, Replica

    run, dataset = session.recorder.run, session.config.sources[name].dataset or ""
    pull, replica = session.config.replication_of(dataset), None
    if pull is not None:
        found = session.config.replications[pull]
        replica = Replica(found.target, recursive=found.recursive, patience=found.lag_warning)
    return DatasetSource(
        zfs=Zfs(session.log.detail, keep_open=session.keep_open, programs=programs or Programs()),
        run_id=run.run_id,
        process=run.process,
        needed=needed_paths(session.config, session.target) | _other_sources(session, name, before),
        exclude=session.config.sources[name].exclude,
        replica=replica,
        warn=lambda text: session.tell("warning", [text]),
        info=session.log.info,
    )


def _other_sources(session: BorgSession, name: str, before: Sequence[PreparedSource]) -> dict[str, str]:
    """Return where other sources are read: what a snapshot covers there would be archived empty, without a word."""
    sources = session.config.sources
    directories = {
        f"source {other}": path
        for other in session.repository.sources
        if other != name and (path := sources[other].path)
    }
    mounted = {
        f"source {each.name} ({root.dataset})": root.path
        for each in before
        for root in each.roots
        if root.dataset is not None and root.problem is None
    }
    return directories | mounted


def needed_paths(config: Config, target: str) -> dict[str, str]:
    """Return what a nightly writes to while its snapshots are mounted: none of it may be covered by one."""
    repository, paths = config.repositories[target], config.paths
    base = repository.base_dir or os.environ.get("HOME") or "/root"
    needed = {
        "borg cache": f"{base}/.cache/borg",
        "borg security folder": f"{base}/.config/borg",
        "state folder": paths.state,
        "log folder": paths.log,
        "lock folder": paths.lock,
    }
    return needed | ({"repository": repository.path} if repository.path.startswith("/") else {})
