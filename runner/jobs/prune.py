"""prune on demand: archives are given up by the rules and the space is freed, without making an archive first.

For the disk that is so full that no night comes as far as its own prune.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.archive_names import good_ones
from bkp.errors import StepFailedError
from bkp.jobs import NIGHTLY, PRUNE
from bkp.listings import without
from bkp.state.archives import REMEMBERED, doubt
from bkp.state.results import PruneResult
from bkp.tools.borg import commands
from runner.borg_session import BorgSession, open_borg
from runner.jobs import repository
from runner.jobs.identity import insist_on_repository
from runner.jobs.listed import held_after_prune, list_all, look
from runner.jobs.model import Rights, RunnerJob
from runner.jobs.nightly import ACCEPT_REMOVAL
from runner.jobs.nightly.by_rules import given_up, too_many
from runner.jobs.nightly.holding import hold
from runner.jobs.nightly.retention import Pruned, compact, prune

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from bkp.config.model import Config
    from bkp.state.records import Run
    from bkp.state.results import Listed
    from bkp.tools.borg.client import Listing
    from runner.jobs.model import DryRun


def prune_on_demand(session: BorgSession) -> None:
    """Prune by the rules and compact. Refuse where no archive is proven, or the rules must not be applied."""
    with session.recorder.step("confirm") as notes:
        known = insist_on_repository(session, notes)
        runs = session.store.ledger.last_runs(REMEMBERED, job=NIGHTLY.name, target=session.target)
        listing = list_all(session, notes)
        listed = look(session, notes, listing)
        notes.counters["archives"] = len(listing.archives)
        _insist_on_a_good_archive(listing, session.repository.prefix, runs)
        good = good_ones(listing.archives, session.repository.prefix)
        doomed = given_up(good, session.repository.keep, session.clock())
        held = hold(listing.archives, session.repository.prefix, session.clock(), runs, known.accepted_at)
        if held is None and ACCEPT_REMOVAL not in session.options.flags:
            left = held_after_prune(session, listing.repository_id)
            held = too_many(doomed, good, session.repository.keep, left, session.target)
        if held is not None:
            raise StepFailedError(f"{held.reason}; nothing was pruned", remedy=held.remedy)
    _record(session, listed, listing, {each.id for each in doomed}, Pruned())  # should we die in it
    with session.recorder.step("prune") as notes:
        pruned = prune(session, notes, listing.archives)
        _record(session, listed, listing, pruned.deleted, pruned)
    with session.recorder.step("compact") as notes:
        compact(session, notes)


def _record(session: BorgSession, listed: Listed, listing: Listing, ids: Collection[str], pruned: Pruned) -> None:
    """Put into the record which archives are given up, and which stay."""
    result = PruneResult(
        deleted=len(pruned.deleted),
        kept=len(pruned.kept),
        given_up_bytes=pruned.given_up.unique if pruned.given_up else None,
        listed=without(listed, listing.archives, ids, session.repository.prefix, session.clock()),
    )
    session.recorder.update(result=result, subject=listing.repository_id)


def _insist_on_a_good_archive(listing: Listing, prefix: str, runs: Sequence[Run]) -> None:
    """Raise `StepFailedError` unless the repository lists an archive that a night has proven."""
    there = {each.name for each in good_ones(listing.archives, prefix)}
    proven = {run.archive.name for run in runs if run.archive is not None and doubt(run.archive) is None}
    if not there & proven:
        raise StepFailedError(
            "the repository lists no archive that a recorded night has proven; nothing was pruned",
            remedy="free space elsewhere and run `bkp-run nightly`; `bkp-run list` shows what there is",
        )


def _dry_run(config: Config, target: str, lock_wait: float) -> DryRun:
    section = config.repositories[target]
    calls = [
        commands.list_archives(section, lock_wait=lock_wait, checkpoints=True),
        commands.prune(section, lock_wait=lock_wait),
        commands.compact(section, lock_wait=lock_wait),
    ]
    return repository.dry_run(PRUNE.name, config, target, calls)


JOB = RunnerJob(
    PRUNE,
    open_borg,
    prune_on_demand,
    _dry_run,
    lambda config, home: Rights(writable=repository.written(config, home)),
)
