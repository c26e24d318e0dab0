"""Whether tonight's archive looks like the nights before: one that lost half its files must not prune them away."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from bkp.state.archives import is_good
from bkp.state.records import Archive, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bkp.state.store import StateStore

BASELINE_NIGHTS = 30
BASELINE_MINIMUM = 3


def baseline(store: StateStore, target: str) -> list[Archive]:
    """Return the good archives of the last nights, oldest first: what tonight's is compared with."""
    runs = store.ledger.last_runs(BASELINE_NIGHTS, job="nightly", target=target)
    archives = (run.archive for run in runs if run.outcome in {Outcome.SUCCESS, Outcome.WARNING})
    return [each for each in archives if each is not None and is_good(each)]


def shrinkage(archive: Archive, before: Sequence[Archive], tolerated: float) -> str | None:
    """Return what is suspicious about the archive's size against the median of the nights before, if anything is.

    `tolerated` is the share that may vanish, from 0 to 1; 1 switches the test off.
    """
    if len(before) < BASELINE_MINIMUM:
        return None
    for what, now, usual in (
        ("files", archive.files, statistics.median(each.files for each in before)),
        ("bytes", archive.original_bytes, statistics.median(each.original_bytes for each in before)),
    ):
        if now < usual * (1 - tolerated):
            return f"the archive has {now:,} {what} where {usual:,.0f} are usual"
    return None
