"""The nightly: archive, prove the archive, and only then prune and compact."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec.structs import replace as replace_fields

from bkp.errors import StateError, StepFailedError
from bkp.patterns import excluder
from bkp.state.archives import flaw
from bkp.state.records import Sample
from runner.nightly import compaction
from runner.nightly.archive import confirm, create, set_aside
from runner.nightly.baseline import LOOKED_AT, suspicion
from runner.nightly.old_logs import tidy_logs
from runner.nightly.retention import compact, prune
from runner.sample import SampleDrawer, Tree
from runner.sources.directory import DirectorySource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bkp.config.model import Config
    from bkp.patterns import Matcher
    from bkp.state.records import Archive, Run
    from bkp.tools.zfs.commands import Programs
    from runner.lifecycle.context import JobContext
    from runner.sources.base import PreparedSource, SourceKind


def nightly(context: JobContext, *, programs: Programs | None = None) -> None:
    """Run all steps of the night on one repository. `programs` says where zfs and mount are, if not where usual."""
    with contextlib.ExitStack() as stack:
        with context.recorder.step("prepare") as notes:
            prepared = _prepare(context, stack, programs)
            excludes = tuple(pattern for each in prepared for pattern in each.source.exclude)  # for all roots alike
            prepared = [_without_excluded(each, excluder(excludes)) for each in prepared]
            roots = [(each, root) for each in prepared for root in each.roots]
            notes.counters |= {"sources": len(prepared), "roots": len(roots)}
            problems = [f"{root.path} {root.problem}" for _, root in roots if root.problem]
            context.tell("error", problems)
            unasked = [
                f"{out.dataset} is not archived: {out.reason}" for each in prepared for out in each.left_out if out.warn
            ]
            context.tell("warning", unasked)
            if len(problems) == len(roots):
                raise StepFailedError("no source can be read: " + "; ".join(problems), remedy="mount or correct them")
        needed = needed_paths(context.config, context.target)
        drawer = SampleDrawer(
            [Tree(root.path, excludes, each.source.one_file_system) for each, root in roots if root.problem is None],
            files=context.config.drill.sample_files,
            total_bytes=context.config.drill.sample_bytes,
            skip=(context.repository.path, needed["borg cache"]),  # borg leaves these out by itself
        )
        stack.callback(drawer.cancel)
        stack.callback(context.options.progress.finish)  # a bar has a thread, and none may stay in the namespace
        began_ns = time.time_ns()
        archive = create(context, prepared, drawer)
        flawed = flaw(archive)
        if flawed is not None:
            context.tell("error", [f"the archive {archive.name} {flawed}"])
            archive = set_aside(context, archive)
        listing = confirm(context, archive)
        if flawed is None:
            _sample(context, drawer, archive, began_ns)
        with context.recorder.step("release"):
            stack.close()
    if flawed is not None:
        raise StepFailedError(
            f"the archive {flawed}; it is kept apart and nothing was pruned",
            remedy="mount or correct the source or its excludes, then run the nightly again",
        )
    nights = past_nights(context)
    shrunk = _judge_size(context, context.recorder.run.archive or archive, nights)
    with context.recorder.step("prune") as notes:
        if shrunk is not None:
            notes.warn(f"{shrunk}: nothing was pruned")
            context.log.warning(notes.reason or "")
        freeable = None if shrunk else prune(context, notes, listing)
    with context.recorder.step(compaction.STEP) as notes:
        if shrunk is not None:
            notes.skip("nothing was pruned")
        else:
            compact(context, notes, freeable, nights)
    tidy_logs(context)


def past_nights(context: JobContext) -> list[Run] | None:
    """Return the recorded nights of this repository, oldest first; None, with a warning, where they cannot be read."""
    try:
        return context.store.ledger.last_runs(LOOKED_AT, job="nightly", target=context.target)
    except StateError as exc:
        context.tell("warning", [exc.message])
        return None


def _judge_size(context: JobContext, archive: Archive, nights: list[Run] | None) -> str | None:
    """Record what is suspicious about tonight's size; return it unless it was accepted by hand."""
    shrunk = suspicion(archive, nights, context.repository.size_drop_warning)
    if shrunk is None:
        return None
    if context.options.accept_size:
        context.recorder.update(archive=replace_fields(archive, size_accepted=True))
        context.log.info(f"{shrunk}: accepted, and from now on the usual size")
        return None
    context.recorder.update(
        archive=replace_fields(archive, size_suspicion=shrunk),
        remedy="find out what is missing; if the size is right, run `bkp-run nightly --accept-size` once",
    )
    return shrunk


def _prepare(context: JobContext, stack: contextlib.ExitStack, programs: Programs | None) -> list[PreparedSource]:
    found: list[PreparedSource] = []
    for name in context.repository.sources:
        source = context.config.sources[name]
        kind = DirectorySource() if source.dataset is None else _dataset_source(context, name, found, programs)
        found.append(stack.enter_context(kind.prepare(name, source)))
    return found


def _without_excluded(prepared: PreparedSource, excluded: Matcher) -> PreparedSource:
    """Return the source with a problem at each root that borg would leave out without a word."""
    roots = tuple(
        replace(root, problem="is left out by an exclude") if root.problem is None and excluded(root.path) else root
        for root in prepared.roots
    )
    return replace(prepared, roots=roots)


def _dataset_source(
    context: JobContext, name: str, before: Sequence[PreparedSource], programs: Programs | None
) -> SourceKind:
    from bkp.tools.zfs.client import Zfs  # a host without ZFS does not pay for it
    from bkp.tools.zfs.commands import Programs
    from runner.sources.dataset import DatasetSource

    run = context.recorder.run
    return DatasetSource(
        zfs=Zfs(context.log.detail, keep_open=context.keep_open, programs=programs or Programs()),
        run_id=run.run_id,
        process=run.process,
        needed=needed_paths(context.config, context.target) | _other_sources(context, name, before),
        warn=lambda text: context.tell("warning", [text]),
        info=context.log.info,
    )


def _other_sources(context: JobContext, name: str, before: Sequence[PreparedSource]) -> dict[str, str]:
    """Return where other sources are read: what a snapshot covers there would be archived empty, without a word."""
    sources = context.config.sources
    directories = {
        f"source {other}": path
        for other in context.repository.sources
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


def _sample(context: JobContext, drawer: SampleDrawer, archive: Archive, began_ns: int) -> None:
    with context.recorder.step("sample") as notes:
        files = drawer.hashes(began_ns)
        notes.counters |= {"files": len(files), "candidates": drawer.candidates}
        if not files:
            notes.warn("no file could be drawn for the drill: each changed during the run, or is too large")
            return
        context.store.write_sample(
            Sample(
                target=context.target,
                archive=archive.name,
                archive_id=archive.id,
                drawn_at=context.clock(),
                files=files,
                candidates=drawer.candidates,
            )
        )
