"""Holds on received snapshots, for as long as a run reads them: zfs cannot destroy what is held."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bkp.liveness import is_alive
from bkp.tools.cleanup import to_the_end
from bkp.tools.zfs import commands
from bkp.tools.zfs.client import MISSING, Zfs, ZfsError
from runner.sources import marks
from runner.sources.received import choose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import timedelta

    from bkp.tools.zfs.replies import Snapshot

SNAPSHOT_TRIES = 10


@dataclass(frozen=True)
class HeldSnapshots:
    """Holds snapshots under one tag, which says whose it is."""

    zfs: Zfs
    tag: str
    warn: Callable[[str], None]

    @contextmanager
    def newest(self, dataset: str, patience: timedelta) -> Iterator[dict[str, Snapshot]]:
        """Choose a snapshot of the dataset and of each below it, and hold them until the block ends.

        One that is destroyed before it is held (a receive has ended, and the live server's old ones go) is chosen anew.
        """
        taken: set[str] = set()
        try:
            yield self._hold_newest(dataset, patience, taken)
        finally:
            to_the_end(lambda: self.release(sorted(taken)))

    def _hold_newest(self, dataset: str, patience: timedelta, taken: set[str]) -> dict[str, Snapshot]:
        for tries_left in reversed(range(SNAPSHOT_TRIES)):
            chosen = choose(self.zfs.received(dataset), patience)
            wanted = [each.full_name for each in chosen.values()]
            if not wanted:
                return {}
            taken.update(wanted)
            try:
                self.zfs.call(commands.hold_each(self.tag, wanted), f"cannot hold snapshots of {dataset}")
            except ZfsError as exc:
                if not (exc.ended and tries_left and MISSING in exc.said):
                    raise
                self.release(wanted)
                continue
            return chosen
        raise AssertionError("the last try returns or raises")

    def release(self, snapshots: Sequence[str]) -> None:
        """Release each by itself: one that is not held (any more) must not keep the others held."""
        for each in snapshots:
            try:
                self.zfs.call(commands.release_each(self.tag, [each]), f"cannot release {each}")
            except ZfsError as exc:
                if not exc.ended:
                    self.warn(f"{exc.message}; the next run will try again")

    def release_dead(self, dataset: str, host: str, info: Callable[[str], None]) -> None:
        """Release what a run that is provably dead has left held."""
        held = [each.full_name for each in self.zfs.received(dataset) if each.holds]
        for tag, snapshots in marks.dead_holds(self.zfs.holds(held), host, is_alive).items():
            info(f"releasing the snapshots that run {tag.split(':')[1]} left held below {dataset}")
            HeldSnapshots(self.zfs, tag, self.warn).release(snapshots)
