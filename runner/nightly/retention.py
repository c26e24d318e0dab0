"""prune and compact, once tonight's archive is proven."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.config.model import INCOMPLETE, Keep
from bkp.tools.borg import commands
from runner.nightly import compaction
from runner.nightly.archive import with_listing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bkp.state.records import Run
    from bkp.tools.borg.client import Listing
    from runner.lifecycle.context import JobContext
    from runner.lifecycle.recorder import StepNotes

INCOMPLETE_KEPT = 3
_FREED = "compaction freed about "


def prune(context: JobContext, notes: StepNotes, listing: Listing) -> int | None:
    """Prune; return how many bytes of unique data that gave up, or None if borg did not say."""
    deleted, kept, freeable = _prune_once(context, notes, None, None)
    prefix = f"{INCOMPLETE}{context.repository.archive_prefix}-"
    if sum(each.name.startswith(prefix) for each in listing.archives) > INCOMPLETE_KEPT:
        only_last = Keep(daily=0, weekly=0, monthly=0, last=INCOMPLETE_KEPT)
        more, _, also = _prune_once(context, notes, f"{prefix}*", only_last)
        deleted |= more
        freeable = None if freeable is None or also is None else freeable + also
    notes.counters |= {"kept": kept, "deleted": len(deleted)}
    if freeable is not None:
        notes.counters[compaction.COUNTER] = freeable
    left = [each for each in listing.archives if each.id not in deleted]
    context.recorder.update(repository=with_listing(context, left))
    return freeable


def _prune_once(
    context: JobContext, notes: StepNotes, glob: str | None, keep: Keep | None
) -> tuple[dict[str, str], int, int | None]:
    arguments = commands.prune(context.repository, lock_wait=context.options.lock_wait, glob=glob, keep=keep)
    reply = context.run_borg(notes, arguments, keep=lambda message: message.level == "info")  # one line an archive
    deleted, kept = {}, 0
    for message in reply.messages:
        if message.text.startswith("Pruning archive"):
            deleted[message.text.rpartition("[")[2].rstrip("]")] = message.text
        elif message.text.startswith("Keeping "):
            kept += 1
    return deleted, kept, compaction.freeable_bytes(reply.messages)


def compact(context: JobContext, notes: StepNotes, freeable: int | None, nights: Sequence[Run] | None) -> None:
    """Compact if it is due, or if it is not known when it last was; else say why not."""
    facts = context.recorder.run.repository
    reason = compaction.not_worth_it(
        freeable,
        nights or (),
        facts.deduplicated_bytes if facts else None,
        context.clock(),
        share=context.repository.compact_share,
        every=context.repository.compact_every,
    )
    if reason is not None:
        notes.skip(reason)
        return
    arguments = commands.compact(context.repository, lock_wait=context.options.lock_wait)
    for message in context.run_borg(notes, arguments).messages:
        if message.text.startswith(_FREED):
            context.log.detail(message.text)
