"""Whether tonight's archive looks like the nights before: one that lost half its files must not prune them away."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from bkp.state.archives import is_whole, since_accepted, usual

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bkp.state.records import Run
    from bkp.state.results import Archive

MINIMUM = 3


def suspicion(archive: Archive, nights: Sequence[Run] | None, tolerated: float) -> str | None:
    """Return what is suspicious about the archive's size against the median of the usual nights, if anything is.

    `nights` are the recorded ones, oldest first, or None where they cannot be known. `tolerated` is the share that may
    vanish, from 0 to 1; 1 switches the test off.
    """
    if tolerated >= 1:
        return None
    if nights is None:
        return "the history cannot be read, so what is usual is not known"
    archives = [made for run in nights if run.outcome.is_good and (made := run.archive) and is_whole(made)]
    compared = usual(archives)
    if len(compared) < MINIMUM:
        doubted = len(compared) < len(since_accepted(archives))
        return "the nights before were suspiciously small already" if doubted else None
    for what, now, median in (
        ("files", archive.files, statistics.median(each.files for each in compared)),
        ("bytes", archive.original_bytes, statistics.median(each.original_bytes for each in compared)),
    ):
        if now < median * (1 - tolerated):
            return f"the archive has {now:,} {what} where {median:,.0f} are usual"
    return None
