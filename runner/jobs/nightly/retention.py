"""prune and compact, once tonight's archive is proven."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.config.model import INCOMPLETE, Keep
from bkp.state.results import NightlyResult
from bkp.tools.borg import commands
from runner.jobs.nightly import compaction
from runner.jobs.nightly.archive import record, with_listing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bkp.state.records import Run
    from bkp.tools.borg.client import Listing
    from runner.borg_session import BorgSession
    from runner.lifecycle.recorder import StepNotes

INCOMPLETE_KEPT = 3
_FREED = "compaction freed about "


def prune(session: BorgSession, notes: StepNotes, night: NightlyResult, listing: Listing) -> int | None:
    """Prune, and count the archives anew.

    Return how many bytes of unique data that gave up, or None if borg did not say.
    """
    deleted, kept, freeable = _prune_once(session, notes, None, None)
    prefix = f"{INCOMPLETE}{session.repository.archive_prefix}-"
    if sum(each.name.startswith(prefix) for each in listing.archives) > INCOMPLETE_KEPT:
        only_last = Keep(daily=0, weekly=0, monthly=0, last=INCOMPLETE_KEPT)
        more, _, also = _prune_once(session, notes, f"{prefix}*", only_last)
        deleted |= more
        freeable = None if freeable is None or also is None else freeable + also
    notes.counters |= {"kept": kept, "deleted": len(deleted)}
    if freeable is not None:
        notes.counters[compaction.COUNTER] = freeable
    left = [each for each in listing.archives if each.id not in deleted]
    record(session, with_listing(session, night, left))
    return freeable


def _prune_once(
    session: BorgSession, notes: StepNotes, glob: str | None, keep: Keep | None
) -> tuple[dict[str, str], int, int | None]:
    arguments = commands.prune(session.repository, lock_wait=session.options.lock_wait, glob=glob, keep=keep)
    reply = session.run_borg(notes, arguments, keep=lambda message: message.level == "info")  # one line an archive
    deleted, kept = {}, 0
    for message in reply.messages:
        if message.text.startswith("Pruning archive"):
            deleted[message.text.rpartition("[")[2].rstrip("]")] = message.text
        elif message.text.startswith("Keeping "):
            kept += 1
    return deleted, kept, compaction.freeable_bytes(reply.messages)


def compact(session: BorgSession, notes: StepNotes, freeable: int | None, nights: Sequence[Run] | None) -> None:
    """Compact if it is due, or if it is not known when it last was; else say why not."""
    result = session.recorder.run.result
    reason = compaction.not_worth_it(
        freeable,
        nights or (),
        result.repository.deduplicated_bytes if isinstance(result, NightlyResult) else None,
        session.clock(),
        share=session.repository.compact_share,
        every=session.repository.compact_every,
    )
    if reason is not None:
        notes.skip(reason)
        return
    arguments = commands.compact(session.repository, lock_wait=session.options.lock_wait)
    for message in session.run_borg(notes, arguments).messages:
        if message.text.startswith(_FREED):
            session.log.detail(message.text)
