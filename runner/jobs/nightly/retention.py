"""prune, tidy and compact: archives are given up by the rules, and those that are set aside by their number."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from bkp.archive_names import KEPT, SET_ASIDE, is_checkpoint, kind_of
from bkp.config.repositories import Keep
from bkp.tools.borg import commands
from runner.jobs.nightly import compaction
from runner.jobs.nightly.compaction import NOTHING, GivenUp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bkp.state.records import Message, Run
    from bkp.state.results import RepositoryFacts
    from bkp.tools.borg.client import ArchiveListing
    from runner.borg_session import BorgSession
    from runner.lifecycle.recorder import StepNotes

_FREED = "compaction freed about "
_CHUNKS = re.compile(r"Chunk index:[\s…]+([0-9]+)[\s…]+([0-9]+)\s*\Z")  # long runs of blanks come shortened
_ID = re.compile(r"\[([0-9a-f]{64})\]\s*\Z")


@dataclass(frozen=True)
class Pruned:
    """What borg said of a prune: the ids of deleted archives, a line for each kept one, and what was given up.

    `chunks` are those of the repository after it, first counted once each. What borg did not say is None.
    """

    deleted: frozenset[str] = frozenset()
    kept: tuple[str, ...] = ()
    given_up: GivenUp | None = NOTHING
    chunks: tuple[int, int] | None = None

    def plus(self, other: Pruned) -> Pruned:
        """Return both together."""
        total = None if self.given_up is None else self.given_up.plus(other.given_up)
        return Pruned(self.deleted | other.deleted, self.kept + other.kept, total, other.chunks or self.chunks)

    def id_of(self, name: str) -> str | None:
        """Return the id of a kept archive; None if borg did not name it among those."""
        for line in self.kept:
            if name in line and (found := _ID.search(line)):
                return found[1]
        return None

    def left(self, facts: RepositoryFacts) -> RepositoryFacts:
        """Return the repository as it is now, `facts` being from before; None for what is not known."""
        lost, chunks = self.given_up, self.chunks or (None, None)
        if lost is None:
            return replace(facts, original_bytes=None, compressed_bytes=None, deduplicated_bytes=None)
        return replace(
            facts,
            original_bytes=_less(facts.original_bytes, lost.original),
            compressed_bytes=_less(facts.compressed_bytes, lost.compressed),
            deduplicated_bytes=_less(facts.deduplicated_bytes, lost.unique),
            unique_chunks=chunks[0],
            chunks=chunks[1],
        )


def _less(before: int | None, lost: int) -> int | None:
    return None if before is None else max(0, before - lost)


def prune(session: BorgSession, notes: StepNotes, archives: Sequence[ArchiveListing]) -> Pruned:
    """Give archives up by the rules, and of each kind that is set aside all but the last `KEPT`."""
    by_rules = _prune(session, notes, None, None)
    notes.counters |= {"kept": len(by_rules.kept)}
    return _counted(notes, by_rules.plus(_prune_set_aside(session, notes, archives)))


def needs_tidying(session: BorgSession, archives: Sequence[ArchiveListing]) -> bool:
    """Return whether more are set aside than are kept, as a streak of bad nights leaves them."""
    return bool(_too_many(session, archives))


def tidy(session: BorgSession, notes: StepNotes, archives: Sequence[ArchiveListing]) -> Pruned:
    """Give up archives that are set aside, but for the last `KEPT` of each kind. No good one is touched."""
    return _counted(notes, _prune_set_aside(session, notes, archives))


def compact(session: BorgSession, notes: StepNotes) -> None:
    """Compact the repository, and say what that freed."""
    arguments = commands.compact(session.repository, lock_wait=session.options.lock_wait)
    for message in session.run_borg(notes, arguments).messages:
        if message.text.startswith(_FREED):
            session.log.detail(message.text)


def compact_if_due(
    session: BorgSession, notes: StepNotes, pruned: Pruned, nights: Sequence[Run] | None, size: int | None
) -> None:
    """Compact if it is due, or if it is not known when it last was; else say why not. `size` is the repository's."""
    reason = compaction.not_worth_it(
        pruned.given_up.unique if pruned.given_up else None,
        nights or (),
        size,
        session.clock(),
        share=session.repository.compact_share,
        every=session.repository.compact_every,
    )
    if reason is not None:
        notes.skip(reason)
    else:
        compact(session, notes)


def _too_many(session: BorgSession, archives: Sequence[ArchiveListing]) -> list[str]:
    """Return the beginnings of names of which there are too many."""
    prefix = session.repository.prefix
    found = []
    for kind in SET_ASIDE:
        names = [each.name for each in archives if kind_of(each.name, prefix) == kind]
        if len(names) > KEPT or any(is_checkpoint(name) for name in names):
            found.append(f"{kind}{prefix}-")
    return found


def _prune_set_aside(session: BorgSession, notes: StepNotes, archives: Sequence[ArchiveListing]) -> Pruned:
    only_last = Keep(daily=0, weekly=0, monthly=0, last=KEPT)
    total = Pruned()
    for beginning in _too_many(session, archives):
        total = total.plus(_prune(session, notes, f"{beginning}*", only_last))
    return total


def _counted(notes: StepNotes, pruned: Pruned) -> Pruned:
    notes.counters |= {"deleted": len(pruned.deleted)}
    if pruned.given_up is not None:
        notes.counters[compaction.COUNTER] = pruned.given_up.unique
    return pruned


def _prune(session: BorgSession, notes: StepNotes, glob: str | None, keep: Keep | None) -> Pruned:
    arguments = commands.prune(session.repository, lock_wait=session.options.lock_wait, glob=glob, keep=keep)
    reply = session.run_borg(notes, arguments, keep=lambda message: message.level == "info")  # one line an archive
    return Pruned(
        frozenset(found[1] for text in _lines(reply.messages, "Pruning archive") if (found := _ID.search(text))),
        tuple(_lines(reply.messages, "Keeping ")),
        compaction.given_up(reply.messages),
        next(((int(found[1]), int(found[2])) for each in reply.messages if (found := _CHUNKS.match(each.text))), None),
    )


def _lines(messages: Sequence[Message], beginning: str) -> list[str]:
    return [message.text for message in messages if message.text.startswith(beginning)]
