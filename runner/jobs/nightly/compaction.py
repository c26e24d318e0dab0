"""Whether a compaction is worth its time: borg rewrites segments for it, and most nights there is nothing to gain."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bkp.quantities import format_duration, format_size
from bkp.state.fields import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta

    from bkp.state.records import Message, Run

_DELETED = re.compile(r"Deleted data:(?:\s+\S+ [kMGTP]?B){2}\s+(-?[\d.]+) ([kMGTP]?)B\s*\Z")
_DECIMAL = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}
STEP, COUNTER = "compact", "freeable_bytes"


def freeable_bytes(messages: Iterable[Message]) -> int | None:
    """Return how many bytes of unique data a prune gave up, as `borg prune --stats` says; None if it does not say."""
    total: int | None = None
    for message in messages:
        if match := _DELETED.match(message.text):
            total = (total or 0) + abs(round(float(match[1]) * _DECIMAL[match[2]]))
    return total


def not_worth_it(
    tonight: int | None,
    runs: Sequence[Run],
    repository_bytes: int | None,
    now: datetime,
    *,
    share: float,
    every: timedelta,
) -> str | None:
    """Return why tonight's compaction may be left out, or None if it is due.

    It is due when `share` of the repository could be freed, when the last one is `every` ago or not recorded, and
    whenever what could be freed is not known. `runs` are the recorded nightly runs, oldest first.
    """
    if tonight is None or not repository_bytes:
        return None
    waiting, last = tonight, None
    for run in reversed(runs):
        steps = {step.name: step for step in run.steps}
        compacted = steps.get(STEP)
        if compacted is not None and compacted.outcome in {Outcome.SUCCESS, Outcome.WARNING}:
            last = compacted.ended_at
            break
        freed = steps["prune"].counters.get(COUNTER) if "prune" in steps else 0
        if freed is None:
            return None
        waiting += int(freed)
    if last is None or now - last >= every or waiting >= repository_bytes * share:
        return None
    return f"only {format_size(waiting)} to gain; next at the latest in {format_duration(every - (now - last))}"
