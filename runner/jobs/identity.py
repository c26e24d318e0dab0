"""Whether the repository is the one that it was: asked before anything is written to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.errors import StateError, StepFailedError
from bkp.state.records import KnownRepository
from bkp.state.remembered import remembered
from bkp.tools.borg import commands
from bkp.tools.borg.client import parse_listing
from bkp.tools.borg.local_id import id_in_file
from runner.jobs.nightly import ACCEPT_REPOSITORY

if TYPE_CHECKING:
    from runner.borg_session import BorgSession
    from runner.lifecycle.recorder import StepNotes

_SAME = "if it is meant to be another one: `bkp-run nightly --accept-repository`"


def insist_on_repository(session: BorgSession, notes: StepNotes) -> KnownRepository:
    """Return what is known of the repository, and remember it; raise `StepFailedError` if it is another one.

    A repository never changes its encryption. So one with the remembered id, which its own file tells, is not asked;
    any other is (`borg list`, which only reads).
    """
    repository = session.repository
    known = remembered(session.store, session.target)
    accepted = ACCEPT_REPOSITORY in session.options.flags
    encryption = known.encryption if known else None
    found = id_in_file(repository.path)
    if known is None or accepted or found != known.id or encryption != repository.encryption:
        arguments = commands.list_archives(repository, lock_wait=session.options.lock_wait)
        listing = parse_listing(session.run_borg(notes, arguments).completed.stdout)
        found, encryption = listing.repository_id, listing.encryption
    another = known is not None and found != known.id
    if encryption != repository.encryption:
        where = "another repository than before, and is " if another else ""
        raise StepFailedError(
            f"what lies at {repository.path} is {where}encrypted as {encryption}, not as {repository.encryption}",
            remedy="check that the right file system is mounted; if it is meant, correct repositories."
            f"{session.target}.encryption" + (", and run `bkp-run nightly --accept-repository`" if another else ""),
        )
    if another and not accepted and known is not None:
        raise StepFailedError(
            f"what lies at {repository.path} is another repository than before: its id is {found}, it was {known.id}",
            remedy=f"check that the right file system is mounted; {_SAME}",
        )
    new = KnownRepository(
        target=session.target,
        id=str(found),
        encryption=str(encryption),
        archive_prefix=repository.prefix,
        accepted_at=session.clock() if accepted or known is None else known.accepted_at,
        path=repository.path,
    )
    session.tell("warning", _changed(known, new, session.target) if known is not None else [])
    if new != known or not session.store.repository_path(session.target).exists():
        try:
            session.store.write_repository(new)
        except StateError as exc:
            session.tell("warning", [exc.message])
    return new


def _changed(known: KnownRepository, new: KnownRepository, target: str) -> list[str]:
    """Return what to say, once, of another prefix, and of another place of the same repository."""
    said = []
    if known.archive_prefix not in {None, new.archive_prefix}:
        said.append(
            f"archives are named {new.archive_prefix}-… from tonight on. Those named {known.archive_prefix}-… stay, "
            f"count no more and are never pruned: write archive_prefix: {known.archive_prefix} to go on with them"
        )
    if known.id == new.id and known.path not in {None, new.path}:  # a copy may be damaged where the first was whole
        said.append(
            f"the repository lies at {new.path} and lay at {known.path}: nothing that was checked there is proven of "
            f"what is here; run `bkp-run verify --target {target}`"
        )
    return said
