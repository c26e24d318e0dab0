"""What the repository lists, held against what earlier runs recorded: archives that vanish do not go unnoticed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.concerns.model import some
from bkp.errors import StateError
from bkp.listings import GONE_REMEDY, counted, gone_words, missed
from bkp.state.results import Listed
from bkp.tools.borg import commands
from bkp.tools.borg.client import parse_listing
from runner.jobs.nightly import ACCEPT_GONE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from bkp.state.records import Run
    from bkp.tools.borg.client import Listing
    from runner.borg_session import BorgSession
    from runner.lifecycle.recorder import StepNotes


def list_all(session: BorgSession, notes: StepNotes) -> Listing:
    """Return all archives that the repository has, what a killed night left of one among them."""
    arguments = commands.list_archives(session.repository, lock_wait=session.options.lock_wait, checkpoints=True)
    return parse_listing(session.run_borg(notes, arguments).completed.stdout)


def look(session: BorgSession, notes: StepNotes, listing: Listing, *, removed: tuple[str, ...] | None = None) -> Listed:
    """Return what is there and what is missed. That something is missed is a warning of the step, in every run.

    `removed` are the names of what this run has given up already, if it has come to that.
    """
    before = _newest(session, listing.repository_id, lambda run: run.listed is not None)
    now = session.clock()
    gone = missed(before, listing.archives, now) if before is not None else {}
    gone = {name: each for name, each in gone.items() if name not in (removed or ())}
    accepted: tuple[str, ...] = ()
    if gone and ACCEPT_GONE in session.options.flags:
        session.log.info(f"{gone_words(gone)}: accepted")
        accepted, gone = tuple(gone), {}
    if gone:
        text = f"{gone_words(gone)}: {some(list(gone))}"
        notes.warn(text)
        session.log.warning(text)
        session.recorder.update(remedy=session.recorder.run.remedy or GONE_REMEDY)
    held = counted(listing.archives, session.repository.prefix, now)
    return Listed(held=held, removed=removed, gone=gone, accepted=accepted)


def held_after_prune(session: BorgSession, repository_id: str) -> Collection[str] | None:
    """Return the names of what the last prune left; None where none is recorded of this repository."""
    listed = _newest(session, repository_id, lambda run: run.listed is not None and run.listed.removed is not None)
    return listed.held if listed is not None else None


def _newest(session: BorgSession, repository_id: str, wanted: Callable[[Run], bool]) -> Listed | None:
    """Return the newest listing of this very repository that the history has; None, if it cannot be read, too."""

    def is_ours(run: Run) -> bool:
        return run.target == session.target and run.subject == repository_id and wanted(run)

    try:
        run = session.store.ledger.newest(is_ours)
    except StateError as exc:
        session.tell("warning", [exc.message])
        return None
    return run.listed if run is not None else None
