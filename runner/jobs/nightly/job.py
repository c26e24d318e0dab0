"""The nightly: archive, prove the archive, and only then prune and compact."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from msgspec.structs import replace as replace_fields

from bkp.errors import StateError, StepFailedError
from bkp.jobs import NIGHTLY
from bkp.state.archives import REMEMBERED, flaw
from bkp.state.records import Sample
from runner.borg_session import BorgSession, open_borg
from runner.jobs.model import RunnerJob
from runner.jobs.nightly import ACCEPT_SIZE, compaction
from runner.jobs.nightly.archive import confirm, create, record, set_aside
from runner.jobs.nightly.baseline import suspicion
from runner.jobs.nightly.old_logs import tidy_logs
from runner.jobs.nightly.plan import dry_run, rights
from runner.jobs.nightly.preparation import needed_paths, prepare, tell_passed_over
from runner.jobs.nightly.retention import compact, prune
from runner.sample import SampleDrawer, Tree

if TYPE_CHECKING:
    from bkp.state.records import Run
    from bkp.state.results import Archive, NightlyResult
    from bkp.tools.zfs.commands import Programs


def nightly(session: BorgSession, *, programs: Programs | None = None) -> None:
    """Run all steps of the night on one repository. `programs` says where zfs and mount are, if not where usual."""
    with contextlib.ExitStack() as stack:
        with session.recorder.step("prepare") as notes:
            ready = prepare(session, stack, programs)
            prepared = ready.sources
            roots = [(each, root) for each in prepared for root in each.roots]
            trees = [(each.source, root.path) for each, root in roots if root.problem is None]
            notes.counters |= {"sources": len(prepared), "roots": len(roots)}
        needed = needed_paths(session.config, session.target)
        drawer = SampleDrawer(
            [Tree(path, ready.excludes, source.one_file_system) for source, path in trees],
            files=session.config.drill.sample_files,
            total_bytes=session.config.drill.sample_bytes,
            skip=(session.repository.path, needed["borg cache"]),  # borg leaves these out by itself
        )
        stack.callback(drawer.cancel)
        stack.callback(session.options.progress.finish)  # a bar has a thread, and none may stay in the namespace
        began_ns = time.time_ns()
        night = create(session, prepared, drawer)
        flawed = flaw(night.archive)
        if flawed is not None:
            session.tell("error", [f"the archive {night.archive.name} {flawed}"])
            night = set_aside(session, night)
        night, listing = confirm(session, night)
        if flawed is None:
            _sample(session, drawer, night.archive, began_ns)
            tell_passed_over(session, ready, drawer.passed_over())
        with session.recorder.step("release"):
            stack.close()
    if flawed is not None:
        raise StepFailedError(
            f"the archive {flawed}; it is kept apart and nothing was pruned",
            remedy="mount or correct the source or its excludes, then run the nightly again",
        )
    nights = past_nights(session)
    night, shrunk = _judge_size(session, night, nights)
    with session.recorder.step("prune") as notes:
        if shrunk is not None:
            notes.warn(f"{shrunk}: nothing was pruned")
            session.log.warning(notes.reason or "")
        freeable = None if shrunk else prune(session, notes, night, listing)
    with session.recorder.step(compaction.STEP) as notes:
        if shrunk is not None:
            notes.skip("nothing was pruned")
        else:
            compact(session, notes, freeable, nights)
    tidy_logs(session)


def past_nights(session: BorgSession) -> list[Run] | None:
    """Return the recorded nights of this repository, oldest first; None, with a warning, where they cannot be read."""
    try:
        return session.store.ledger.last_runs(REMEMBERED, job=NIGHTLY.name, target=session.target)
    except StateError as exc:
        session.tell("warning", [exc.message])
        return None


def _judge_size(
    session: BorgSession, night: NightlyResult, nights: list[Run] | None
) -> tuple[NightlyResult, str | None]:
    """Record what is suspicious about tonight's size, and return that too, unless it was accepted by hand."""
    shrunk = suspicion(night.archive, nights, session.repository.size_drop_warning)
    if shrunk is None:
        return night, None
    if ACCEPT_SIZE in session.options.flags:
        session.log.info(f"{shrunk}: accepted, and from now on the usual size")
        archive = replace_fields(night.archive, size_accepted=True)
        return record(session, replace_fields(night, archive=archive)), None
    session.recorder.update(
        remedy="find out what is missing; if the size is right, run `bkp-run nightly --accept-size` once"
    )
    archive = replace_fields(night.archive, size_suspicion=shrunk)
    return record(session, replace_fields(night, archive=archive)), shrunk


def _sample(session: BorgSession, drawer: SampleDrawer, archive: Archive, began_ns: int) -> None:
    with session.recorder.step("sample") as notes:
        files = drawer.hashes(began_ns)
        notes.counters |= {"files": len(files), "candidates": drawer.candidates}
        if not files:
            notes.warn("no file could be drawn for the drill: each changed during the run, or is too large")
            return
        sample = Sample(
            target=session.target,
            archive=archive.name,
            archive_id=archive.id,
            drawn_at=session.clock(),
            files=files,
            candidates=drawer.candidates,
        )
        try:
            session.store.write_sample(sample)
        except StateError as exc:  # the archive is as good without it
            notes.warn(exc.message)


JOB = RunnerJob(NIGHTLY, open_borg, nightly, dry_run, rights)
