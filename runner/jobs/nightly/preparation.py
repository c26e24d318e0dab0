"""What a night reads, made ready: every source snapshotted and mounted or looked at, and what is wrong with it told."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from bkp.errors import StepFailedError
from bkp.patterns import excluder
from bkp.tools.mounts import mount_table
from bkp.tools.zfs.commands import Programs
from runner.sources.directory import DirectorySource
from runner.sources.nested import LiveTree, unarchived

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Sequence

    from bkp.config.model import Config
    from bkp.patterns import Matcher
    from runner.borg_session import BorgSession
    from runner.sources.base import PreparedSource, SourceKind


def prepare(
    session: BorgSession, stack: contextlib.ExitStack, excludes: tuple[str, ...], programs: Programs | None
) -> list[PreparedSource]:
    """Make all sources of the repository readable until `stack` closes, and tell what is wrong with any of them.

    Raise `StepFailedError` if nothing can be read at all.
    """
    mountinfo = mount_table((programs or Programs()).mountinfo)  # before any snapshot is mounted
    found: list[PreparedSource] = []
    for name in session.repository.sources:
        source = session.config.sources[name]
        kind = (
            DirectorySource() if source.dataset is None else _dataset_source(session, name, found, excludes, programs)
        )
        found.append(stack.enter_context(kind.prepare(name, source)))
    found = [_without_excluded(each, excluder(excludes)) for each in found]
    roots = [root for each in found for root in each.roots]
    problems = [f"{root.path} {root.problem}" for root in roots if root.problem]
    session.tell("error", problems)
    unasked = [f"{out.dataset} is not archived: {out.reason}" for each in found for out in each.left_out if out.warn]
    session.tell("warning", unasked + _nested(mountinfo, found, excludes))
    if len(problems) == len(roots):
        raise StepFailedError("no source can be read: " + "; ".join(problems), remedy="mount or correct them")
    return found


def excludes_of(session: BorgSession) -> tuple[str, ...]:
    """Return the patterns of all sources: borg applies them to all roots alike."""
    sources = (session.config.sources[name] for name in session.repository.sources)
    return tuple(pattern for source in sources for pattern in source.exclude)


def _nested(mountinfo: str, prepared: Sequence[PreparedSource], excludes: Sequence[str]) -> list[str]:
    """Return what to say of the file systems below the sources that borg does not go into."""
    trees = [
        LiveTree(root.path, root.dataset)
        for each in prepared
        for root in each.roots
        if each.source.one_file_system and root.problem is None
    ]
    left_out = [out.dataset for each in prepared for out in each.left_out]
    return [
        f"{mount.point} ({mount.source}) is mounted below {tree} and not archived: "
        "make it a source of its own, or exclude it"
        for mount, tree in unarchived(mountinfo, trees, left_out, excludes)
    ]


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
    excludes: tuple[str, ...],
    programs: Programs | None,
) -> SourceKind:
    from bkp.tools.zfs.client import Zfs  # a host without ZFS does not pay for it
    from runner.sources.dataset import DatasetSource

    run = session.recorder.run
    return DatasetSource(
        zfs=Zfs(session.log.detail, keep_open=session.keep_open, programs=programs or Programs()),
        run_id=run.run_id,
        process=run.process,
        needed=needed_paths(session.config, session.target) | _other_sources(session, name, before),
        exclude=excludes,
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
