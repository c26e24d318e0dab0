"""The nightly: archive, prove the archive, and only then prune and compact."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from msgspec.structs import replace as replace_fields

from bkp.errors import StateError, StepFailedError
from bkp.state.archives import flaw
from bkp.state.records import Sample
from runner.nightly import compaction
from runner.nightly.archive import confirm, create, set_aside
from runner.nightly.baseline import LOOKED_AT, suspicion
from runner.nightly.old_logs import tidy_logs
from runner.nightly.preparation import excludes_of, needed_paths, prepare
from runner.nightly.retention import compact, prune
from runner.sample import SampleDrawer, Tree

if TYPE_CHECKING:
    from bkp.state.records import Run
    from bkp.state.results import Archive
    from bkp.tools.zfs.commands import Programs
    from runner.lifecycle.context import JobContext


def nightly(context: JobContext, *, programs: Programs | None = None) -> None:
    """Run all steps of the night on one repository. `programs` says where zfs and mount are, if not where usual."""
    with contextlib.ExitStack() as stack:
        with context.recorder.step("prepare") as notes:
            excludes = excludes_of(context)
            prepared = prepare(context, stack, excludes, programs)
            roots = [(each, root) for each in prepared for root in each.roots]
            notes.counters |= {"sources": len(prepared), "roots": len(roots)}
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
