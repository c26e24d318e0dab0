"""Whether tonight's archive looks like the nights before: one that lost half its files must not prune them away."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from bkp.state.archives import is_good
from bkp.state.store import ENDED_WELL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bkp.state.records import Run
    from bkp.state.results import Archive

# Far more nights are looked at than are compared with: neither failed nor suspicious ones may push the good ones out.
LOOKED_AT = 400
BASELINE_NIGHTS = 30
BASELINE_MINIMUM = 3


def suspicion(archive: Archive, nights: Sequence[Run] | None, tolerated: float) -> str | None:
    """Return what is suspicious about the archive's size against the median of the good nights before, if anything is.

    `nights` are the recorded ones, oldest first, or None where they cannot be known. A night that was suspicious itself
    never becomes what is usual; one that somebody accepted begins the comparison anew. `tolerated` is the share
    that may vanish, from 0 to 1; 1 switches the test off.
    """
    if tolerated >= 1:
        return None
    if nights is None:
        return "the history cannot be read, so what is usual is not known"
    archives = _since_accepted(nights)
    good = [each for each in archives if each.size_suspicion is None][-BASELINE_NIGHTS:]
    if len(good) < BASELINE_MINIMUM:
        return "the nights before were suspiciously small already" if len(good) < len(archives) else None
    for what, now, usual in (
        ("files", archive.files, statistics.median(each.files for each in good)),
        ("bytes", archive.original_bytes, statistics.median(each.original_bytes for each in good)),
    ):
        if now < usual * (1 - tolerated):
            return f"the archive has {now:,} {what} where {usual:,.0f} are usual"
    return None


def _since_accepted(nights: Sequence[Run]) -> list[Archive]:
    """Return the good archives since the last one whose size was accepted by hand, that one included."""
    found: list[Archive] = []
    for run in nights:
        archive = run.archive
        if run.outcome in ENDED_WELL and archive is not None and is_good(archive):
            found = [archive] if archive.size_accepted else [*found, archive]
    return found
