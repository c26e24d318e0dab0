"""Tonight's archive: made, confirmed by the repository itself, and named after what was found of it."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from bkp.archive_names import INCOMPLETE, UNPROVEN, good_ones, kind_of, of_the_future, renamed
from bkp.errors import StepFailedError
from bkp.patience import PATIENCE, in_time
from bkp.state.results import Archive, LeftOut, NightlyResult, RepositoryFacts, Root
from bkp.tools.borg import commands
from bkp.tools.borg.outcome import missing_roots
from bkp.tools.borg.replies import CreateReply, decode, utc
from runner.jobs.listed import list_all, look
from runner.sources.base import identity, is_mount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bkp.tools.borg.client import ArchiveListing, Listing
    from runner.borg_session import BorgSession
    from runner.sample import SampleDrawer
    from runner.sources.base import PreparedSource


_UNMOUNTED = "was unmounted while it was read: the archive may lack some of what it holds; run the nightly again"
_LOST = "vanished, or became another folder, while it was read: was it unmounted?"


def first_name(prefix: str, run_id: str, *, complete: bool = True) -> str:
    """Return what an archive is called when it is made: after its run, which no other shares, out of retention's sight.

    Whatever goes wrong before it is proven, it never has the name of a good one.
    """
    return f"{UNPROVEN if complete else INCOMPLETE}{prefix}-{run_id}"


def create(session: BorgSession, prepared: Sequence[PreparedSource], drawer: SampleDrawer) -> NightlyResult:
    """Archive every root that can be read (`borg create`); record the archive, its roots, and what was left out."""
    run = session.recorder.run
    roots = [(each, root) for each in prepared for root in each.roots]
    readable = [root.path for _, root in roots if root.problem is None]
    name = first_name(session.repository.prefix, run.run_id, complete=len(readable) == len(roots))
    arguments = commands.create(
        session.repository,
        name,
        readable,
        [each.source for each in prepared],
        lock_wait=session.options.lock_wait,
        comment=f"bkp run {run.run_id}",
    )
    with session.recorder.step("create") as notes:
        drawer.start()
        found = {path: identity(path) for path in readable}
        reply = session.run_borg(notes, arguments, keep=lambda message: bool(missing_roots(readable, (message,))))
        created = decode(reply.completed.stdout, CreateReply)
        lost = missing_roots(readable, reply.messages) | {path for path in readable if identity(path) != found[path]}
        below = (place for _, root in roots for place in root.mounts if place != root.path)
        unmounted = {place for place in below if not is_mount(place)}
        stats, cache = created.archive.stats, created.cache.stats
        archive = Archive(
            name=created.archive.name,
            id=created.archive.id,
            started_at=utc(created.archive.start),
            ended_at=utc(created.archive.end),
            files=stats.nfiles,
            original_bytes=stats.original_size,
            compressed_bytes=stats.compressed_size,
            deduplicated_bytes=stats.deduplicated_size,
            roots=tuple(
                Root(
                    source=each.name,
                    path=root.path,
                    present=root.problem is None and root.path not in lost,
                    dataset=root.dataset,
                    reason=root.problem or (_LOST if root.path in lost else root.note),
                    snapshot=root.snapshot,
                    snapshot_at=root.snapshot_at,
                    guid=root.guid,
                    mounts=tuple(place for place in root.mounts if place not in unmounted),
                )
                for each, root in roots
            ),
            left_out=tuple(
                LeftOut(source=each.name, dataset=out.dataset, reason=out.reason)
                for each in prepared
                for out in each.left_out
            ),
        )
        repository = RepositoryFacts(
            id=created.repository.id,
            location=created.repository.location,
            encryption=created.encryption.mode,
            original_bytes=cache.total_size,
            compressed_bytes=cache.total_csize,
            deduplicated_bytes=cache.unique_csize,
            chunks=cache.total_chunks,
            unique_chunks=cache.total_unique_chunks,
        )
        notes.counters |= {
            "files": archive.files,
            "original_bytes": archive.original_bytes,
            "deduplicated_bytes": archive.deduplicated_bytes,
        }
    session.tell("warning", [f"{place} {_UNMOUNTED}" for place in sorted(unmounted)])
    return record(session, NightlyResult(archive=archive, repository=repository))


def record(session: BorgSession, night: NightlyResult) -> NightlyResult:
    """Put what the night came to so far into the record, and return it."""
    session.recorder.update(result=night, subject=night.repository.id)
    return night


def confirm(session: BorgSession, night: NightlyResult) -> tuple[NightlyResult, Listing]:
    """Ask the repository for tonight's archive. Without that answer it gets no good name, and nothing is pruned."""
    with session.recorder.step("confirm") as notes:
        listing = list_all(session, notes)
        listed = look(session, notes, listing, removed=night.listed.removed if night.listed else None)
        archive = night.archive
        found = next((each for each in listing.archives if each.name == archive.name), None)
        # what was renamed since has a new id
        if found is None or (found.id != archive.id and archive.name.startswith(UNPROVEN)):
            raise StepFailedError(
                f"the repository does not list archive {archive.name}, which borg said it had made",
                remedy="run `bkp-run check`, and look at the log of this run",
            )
        notes.counters["archives"] = len(listing.archives)
    archive = msgspec.structs.replace(archive, id=found.id, confirmed=True)
    confirmed = msgspec.structs.replace(night, archive=archive, listed=listed)
    return record(session, with_listing(session, confirmed, listing.archives)), listing


def with_listing(session: BorgSession, night: NightlyResult, archives: Sequence[ArchiveListing]) -> NightlyResult:
    """Return the night with the repository's archives counted anew."""
    prefix = session.repository.prefix
    good = good_ones(archives, prefix)
    early = of_the_future(good, session.clock())  # whose date vouches for nothing
    dated = [each.started_at for each in good if each not in early]
    free, size = space_of(session.repository.path)
    facts = msgspec.structs.replace(
        night.repository,
        archives=len(good),
        incomplete_archives=sum(kind_of(each.name, prefix) is not None for each in archives),
        oldest_archive_at=dated[0] if dated else None,
        newest_archive_at=dated[-1] if dated else None,
        free_bytes=free,
        size_bytes=size,
    )
    return msgspec.structs.replace(night, repository=facts)


def space_of(path: str) -> tuple[int | None, int | None]:
    """Return the free bytes and the size of the file system that a repository lies on; None where not known here."""
    try:
        facts = in_time(partial(os.statvfs, path), PATIENCE)
    except OSError:  # a remote repository, or one that does not answer any more
        return None, None
    return facts.f_bavail * facts.f_frsize, facts.f_blocks * facts.f_frsize


def rename(session: BorgSession, night: NightlyResult, step: str, kind: str = "") -> NightlyResult:
    """Give the archive the name of a kind of those set aside, or a good one's; return the night as it is now.

    borg gives a renamed archive a new id, which the next listing tells.
    """
    archive = night.archive
    new_name = renamed(archive.name, kind)
    if new_name == archive.name:
        return night
    with session.recorder.step(step) as notes:
        arguments = commands.rename(session.repository, archive.name, new_name, lock_wait=session.options.lock_wait)
        session.run_borg(notes, arguments)
    return record(session, msgspec.structs.replace(night, archive=msgspec.structs.replace(archive, name=new_name)))


def with_id(night: NightlyResult, found: str) -> NightlyResult:
    """Return the night with the id that its archive has now."""
    return msgspec.structs.replace(night, archive=msgspec.structs.replace(night.archive, id=found))
