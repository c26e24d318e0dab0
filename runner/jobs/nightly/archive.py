"""Tonight's archive: made, confirmed by the repository itself, and set aside if it is not whole."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from bkp.config.model import INCOMPLETE
from bkp.errors import StepFailedError
from bkp.state.results import Archive, LeftOut, NightlyResult, RepositoryFacts, Root
from bkp.tools.borg import commands
from bkp.tools.borg.client import ArchiveListing, Listing, parse_listing
from bkp.tools.borg.outcome import missing_roots
from bkp.tools.borg.replies import CreateReply, decode, utc
from runner.sources.base import identity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.borg_session import BorgSession
    from runner.sample import SampleDrawer
    from runner.sources.base import PreparedSource


_LOST = "vanished, or became another folder, while it was read: was it unmounted?"


def archive_name(prefix: str, run_id: str, *, complete: bool) -> str:
    """Return the archive's name: the run that made it, which no other run shares, however soon it follows.

    One that lacks a root is named apart from the start, out of retention's sight.
    """
    return f"{'' if complete else INCOMPLETE}{prefix}-{run_id}"


def create(session: BorgSession, prepared: Sequence[PreparedSource], drawer: SampleDrawer) -> NightlyResult:
    """Archive every root that can be read (`borg create`); record the archive, its roots, and what was left out."""
    run = session.recorder.run
    roots = [(each, root) for each in prepared for root in each.roots]
    readable = [root.path for _, root in roots if root.problem is None]
    name = archive_name(session.repository.archive_prefix, run.run_id, complete=len(readable) == len(roots))
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
    return record(session, NightlyResult(archive=archive, repository=repository))


def record(session: BorgSession, night: NightlyResult) -> NightlyResult:
    """Put what the night came to so far into the record, and return it."""
    session.recorder.update(result=night)
    return night


def confirm(session: BorgSession, night: NightlyResult) -> tuple[NightlyResult, Listing]:
    """Ask the repository for tonight's archive. Without that answer nothing is pruned."""
    archive = night.archive
    with session.recorder.step("confirm") as notes:
        arguments = commands.list_archives(session.repository, lock_wait=session.options.lock_wait)
        listing = parse_listing(session.run_borg(notes, arguments).completed.stdout)
        found = next((each for each in listing.archives if each.name == archive.name), None)
        # renaming, which is done to incomplete ones alone, gives an archive a new id
        if found is None or (found.id != archive.id and not archive.name.startswith(INCOMPLETE)):
            raise StepFailedError(
                f"the repository does not list archive {archive.name}, which borg said it had made",
                remedy="run `bkp-run check`, and look at the log of this run",
            )
        notes.counters["archives"] = len(listing.archives)
    confirmed = msgspec.structs.replace(night, archive=msgspec.structs.replace(archive, id=found.id, confirmed=True))
    return record(session, with_listing(session, confirmed, listing.archives)), listing


def with_listing(session: BorgSession, night: NightlyResult, archives: Sequence[ArchiveListing]) -> NightlyResult:
    """Return the night with the repository's archives counted anew."""
    prefix = f"{session.repository.archive_prefix}-"
    listed = [each for each in archives if each.name.startswith(prefix)]
    aside = [each for each in archives if each.name.startswith(INCOMPLETE + prefix)]
    times = sorted(each.started_at for each in listed)
    free, size = _space(session.repository.path)
    facts = msgspec.structs.replace(
        night.repository,
        archives=len(listed),
        incomplete_archives=len(aside),
        oldest_archive_at=times[0] if times else None,
        newest_archive_at=times[-1] if times else None,
        free_bytes=free,
        size_bytes=size,
    )
    return msgspec.structs.replace(night, repository=facts)


def _space(path: str) -> tuple[int | None, int | None]:
    try:
        facts = os.statvfs(path)
    except OSError:  # a remote repository: not known here
        return None, None
    return facts.f_bavail * facts.f_frsize, facts.f_blocks * facts.f_frsize


def set_aside(session: BorgSession, night: NightlyResult) -> NightlyResult:
    """Rename an archive that turned out to be incomplete, so that prune never counts it; return it as it is now."""
    archive = night.archive
    if archive.name.startswith(INCOMPLETE):
        return night
    new_name = INCOMPLETE + archive.name
    with session.recorder.step("set aside") as notes:
        arguments = commands.rename(session.repository, archive.name, new_name, lock_wait=session.options.lock_wait)
        session.run_borg(notes, arguments)
    renamed = msgspec.structs.replace(archive, name=new_name)
    return record(session, msgspec.structs.replace(night, archive=renamed))
