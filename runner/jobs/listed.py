"""What the repository lists, held against what earlier runs recorded: archives that vanish do not go unnoticed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.errors import StateError
from bkp.jobs import CHECK, NIGHTLY, PRUNE, VERIFY
from bkp.listings import counted, gone_remedy, gone_words, missed, short_id
from bkp.state.results import Listed
from bkp.state.store import value_of
from bkp.tools.borg import commands
from bkp.tools.borg.client import parse_listing
from bkp.words import some
from runner.jobs.nightly import ACCEPT_GONE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from bkp.state.records import Run
    from bkp.tools.borg.client import Listing
    from runner.borg_session import BorgSession
    from runner.lifecycle.recorder import StepNotes


LISTING = (NIGHTLY.name, CHECK.name, VERIFY.name, PRUNE.name)  # the jobs that record what is there


def list_all(session: BorgSession, notes: StepNotes) -> Listing:
    """Return all archives that the repository has, what a killed night left of one among them."""
    arguments = commands.list_archives(session.repository, lock_wait=session.options.lock_wait, checkpoints=True)
    return parse_listing(session.run_borg(notes, arguments).completed.stdout)


def look(session: BorgSession, notes: StepNotes, listing: Listing, *, removed: tuple[str, ...] | None = None) -> Listed:
    """Return what is there and what is missed. That something is missed is a warning of the step, in every run.

    `removed` are the names of what this run has given up already, if it has come to that.
    """
    run = _newest(session, listing.repository_id, lambda run: run.listed is not None)
    before, now = run.listed if run is not None else None, session.clock()
    gone = missed(before, listing.archives, now) if before is not None else {}
    gone = {name: each for name, each in gone.items() if name not in (removed or ())}
    accepted: tuple[str, ...] = ()
    if before is not None and ACCEPT_GONE in session.options.flags:
        accepted = tuple(name for name in gone if name in before.gone)  # what nobody has been told of is not meant
        gone = {name: each for name, each in gone.items() if name not in accepted}
        if accepted:
            session.log.info(f"{gone_words(accepted)}: accepted: {', '.join(accepted)}")
    if gone:
        text = f"{gone_words(gone)}: {some(list(gone))}"
        notes.warn(text)
        session.log.warning(text)
        session.recorder.update(remedy=session.recorder.run.remedy or gone_remedy(session.target))
    held = counted(listing.archives, session.repository.prefix, now)
    if run is not None and before is not None and now < run.started_at:  # the clock is behind: keep what was known
        there = {short_id(each.id) for each in listing.archives}
        held = {
            name: each for name, each in before.held.items() if each in there and name not in (removed or ())
        } | held
    return Listed(held=held, removed=removed, gone=gone, accepted=accepted)


def held_after_prune(session: BorgSession, repository_id: str) -> Collection[str] | None:
    """Return the names of what the last prune left; None where none is recorded of this repository."""
    run = _newest(session, repository_id, lambda run: run.listed is not None and run.listed.removed is not None)
    return run.listed.held if run is not None and run.listed is not None else None


def _newest(session: BorgSession, repository_id: str, wanted: Callable[[Run], bool]) -> Run | None:
    """Return the newest run of this very repository that is wanted: the history's, or one that it could not take."""

    def is_ours(run: Run) -> bool:
        return run.target == session.target and run.subject == repository_id and wanted(run)

    ledger, found = session.store.ledger, None
    try:
        found = ledger.newest(is_ours)
    except StateError as exc:
        session.tell("warning", [exc.message])
    for each in _recorded(session):
        if each.ended_at is None or not is_ours(each) or each.run_id == session.recorder.run.run_id:
            continue
        newer = found is None or found.ended_at is None or each.ended_at > found.ended_at
        if newer and not _has_line(session, each):
            found = each
    return found


def _recorded(session: BorgSession) -> Iterator[Run]:
    for job in LISTING:
        state = session.store.read_job(job, session.target)
        yield from (run for run in (value_of(state.latest), value_of(state.success)) if run is not None)


def _has_line(session: BorgSession, run: Run) -> bool:
    try:
        return session.store.ledger.newest(lambda other: other.run_id == run.run_id) is not None
    except StateError:
        return False
