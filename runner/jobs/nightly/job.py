"""The nightly: archive, prove the archive, and only then prune and compact."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace as replace_fields

from bkp.archive_names import INCOMPLETE, SUSPICIOUS, good_ones
from bkp.errors import StateError, StepFailedError
from bkp.jobs import NIGHTLY
from bkp.listings import without
from bkp.state.archives import REMEMBERED, flaw
from bkp.state.parked import parked
from bkp.state.records import DrillSample
from bkp.tools.borg.client import BorgError
from runner.borg_session import BorgSession, open_borg
from runner.jobs.identity import insist_on_repository
from runner.jobs.listed import held_after_prune
from runner.jobs.model import RunnerJob
from runner.jobs.nightly import ACCEPT_SIZE, compaction
from runner.jobs.nightly.archive import confirm, create, record, rename, with_id, with_listing
from runner.jobs.nightly.baseline import suspicion
from runner.jobs.nightly.by_rules import given_up, too_many
from runner.jobs.nightly.holding import Hold, hold
from runner.jobs.nightly.old_logs import tidy_logs
from runner.jobs.nightly.plan import dry_run, rights
from runner.jobs.nightly.preparation import needed_paths, prepare, tell_empty, tell_passed_over
from runner.jobs.nightly.retention import Pruned, compact_if_due, needs_tidying, prune, tidy
from runner.jobs.nightly.vanished import good_before
from runner.sample import SampleDrawer, Tree

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from bkp.state.records import KnownRepository, Run, SampleFile
    from bkp.state.results import Archive, NightlyResult
    from bkp.tools.borg.client import ArchiveListing, Listing
    from bkp.tools.zfs.commands import Programs


def nightly(session: BorgSession, *, programs: Programs | None = None) -> None:
    """Run all steps of the night on one repository. `programs` says where zfs and mount are, if not where usual."""
    with contextlib.ExitStack() as stack:
        with session.recorder.step("prepare") as notes:
            known = insist_on_repository(session, notes)
            nights = past_nights(session)
            ready = prepare(session, stack, programs, good_before(nights or (), known.id))
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
            night = _set_aside(session, night)
        night, listing = confirm(session, night)
        hashes = None if flawed else _hashes(session, drawer, began_ns)
        if flawed is None:
            tell_passed_over(session, ready, drawer.passed_over())
            tell_empty(session, ready, drawer.without_files())
        with session.recorder.step("release"):
            stack.close()
    if flawed is not None:
        _tidy(session, listing)
        raise StepFailedError(
            f"the archive {flawed}; it is kept apart and nothing was pruned",
            remedy="mount or correct the source or its excludes, then run the nightly again",
        )
    night, shrunk = _judge_size(session, night, nights)
    night = rename(session, night, "name", SUSPICIOUS if shrunk else "")
    if shrunk is None:  # before anything is removed: a prune that fails leaves the drill its sample
        _write_sample(session, drawer, night.archive, hashes or [])
    made = night.archive.id
    night, pruned = _prune(session, night, listing, nights, known, shrunk)
    if pruned is None or night.archive.id == made:  # its new id is not known yet
        night, listing = confirm(session, night)
    if pruned is None:
        _tidy(session, listing)
    with session.recorder.step(compaction.STEP) as notes:
        if pruned is None:
            notes.skip("nothing was pruned")
        else:
            compact_if_due(session, notes, pruned, nights, night.repository.deduplicated_bytes)
    if shrunk is None:  # with the id that the archive has since its rename
        _write_sample(session, drawer, night.archive, hashes or [])
    tidy_logs(session)


def _prune(
    session: BorgSession,
    night: NightlyResult,
    listing: Listing,
    nights: list[Run] | None,
    known: KnownRepository,
    shrunk: str | None,
) -> tuple[NightlyResult, Pruned | None]:
    """Apply the rules; return what that came to, or None where they must not be applied, which is a warning."""
    held = _held(session, night, listing, nights, known, shrunk)
    listing = _as_named(listing, night)
    good = good_ones(listing.archives, session.repository.prefix)
    doomed = given_up(good, session.repository.keep, session.clock())
    if held is None:
        left = held_after_prune(session, listing.repository_id)
        held = too_many(doomed, good, session.repository.keep, left, session.target)
    if held is None:
        # Should we die in it. Tonight's archive has an id since its rename that nobody knows yet.
        others = [each for each in listing.archives if each.id != night.archive.id]
        night = _with_removed(session, night, others, {each.id for each in doomed})
    with session.recorder.step("prune") as notes:
        if held is not None:
            session.recorder.update(remedy=held.remedy)
            notes.warn(f"{held.reason}: nothing was pruned")
            session.log.warning(notes.reason or "")
            return night, None
        pruned = prune(session, notes, listing.archives)
        return _after_prune(session, night, listing, pruned), pruned


def _set_aside(session: BorgSession, night: NightlyResult) -> NightlyResult:
    """Name the archive incomplete. If that fails it stays unproven, which counts as little."""
    try:
        return rename(session, night, "set aside", INCOMPLETE)
    except BorgError as exc:
        session.tell("error", [f"the archive keeps the name {night.archive.name}: {exc.message}"])
        return night


def _held(
    session: BorgSession,
    night: NightlyResult,
    listing: Listing,
    nights: list[Run] | None,
    known: KnownRepository,
    shrunk: str | None,
) -> Hold | None:
    if shrunk is not None:
        return Hold(shrunk, "find out what is missing; if the size is right, run `bkp-run nightly --accept-size` once")
    began = night.archive.started_at
    return hold(listing.archives, session.repository.prefix, began, nights or (), known.accepted_at)


def _as_named(listing: Listing, night: NightlyResult) -> Listing:
    """Return the listing with tonight's archive under the name that it has since."""
    own = night.archive
    return replace(
        listing,
        archives=tuple(replace(each, name=own.name) if each.id == own.id else each for each in listing.archives),
    )


def _with_removed(
    session: BorgSession, night: NightlyResult, archives: Sequence[ArchiveListing], ids: Collection[str]
) -> NightlyResult:
    """Record which archives the prune gives up, and which stay."""
    if night.listed is None:
        return night
    listed = without(night.listed, archives, ids, session.repository.prefix, session.clock())
    return record(session, replace_fields(night, listed=listed))


def _after_prune(session: BorgSession, night: NightlyResult, listing: Listing, pruned: Pruned) -> NightlyResult:
    """Record the repository as the prune has left it, and the id that the archive has by its good name."""
    own, new_id = night.archive.id, pruned.id_of(night.archive.name) or night.archive.id
    archives = [replace(each, id=new_id) if each.id == own else each for each in listing.archives]
    night = _with_removed(session, with_id(night, new_id), archives, pruned.deleted)
    counted = with_listing(session, night, [each for each in archives if each.id not in pruned.deleted])
    return record(session, replace_fields(counted, repository=pruned.left(counted.repository)))


def _tidy(session: BorgSession, listing: Listing) -> None:
    """Bound what bad nights set aside. What goes wrong with that is no reason to call the night another failure."""
    if not needs_tidying(session, listing.archives):
        return
    try:
        with session.recorder.step("tidy") as notes:
            tidy(session, notes, listing.archives)
    except BorgError as exc:
        session.tell("warning", [exc.message])


def past_nights(session: BorgSession) -> list[Run] | None:
    """Return the recorded nights of this repository, oldest first; None, with a warning, where they cannot be read.

    Among them are those that wait to be recorded.
    """
    waiting = parked(Path(session.config.paths.lock))
    own = [run for run in waiting if (run.job, run.target) == (NIGHTLY.name, session.target)]
    try:
        return [*session.store.ledger.last_runs(REMEMBERED, job=NIGHTLY.name, target=session.target), *own]
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
    archive = replace_fields(night.archive, size_suspicion=shrunk)
    return record(session, replace_fields(night, archive=archive)), shrunk


def _hashes(session: BorgSession, drawer: SampleDrawer, began_ns: int) -> list[SampleFile]:
    """Return the sample, hashed while what was archived can still be read."""
    with session.recorder.step("sample") as notes:
        files = drawer.hashes(began_ns)
        notes.counters |= {"files": len(files), "candidates": drawer.candidates}
        if not files:
            notes.warn("no file could be drawn for the drill: each changed during the run, or is too large")
        return list(files)


def _write_sample(session: BorgSession, drawer: SampleDrawer, archive: Archive, files: list[SampleFile]) -> None:
    """Write the sample of a good archive: the drill restores from no other."""
    if not files:
        return
    sample = DrillSample(
        target=session.target,
        archive=archive.name,
        archive_id=archive.id,
        drawn_at=session.clock(),
        files=tuple(files),
        candidates=drawer.candidates,
    )
    try:
        session.store.write_sample(sample)
    except StateError as exc:  # the archive is as good without it
        session.tell("warning", [exc.message])


JOB = RunnerJob(NIGHTLY, open_borg, nightly, dry_run, rights)
