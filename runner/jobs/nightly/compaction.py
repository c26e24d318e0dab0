"""Whether a compaction is worth its time: borg rewrites segments for it, and most nights there is nothing to gain."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from bkp.quantities import format_duration, format_size
from bkp.state.fields import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta

    from bkp.state.records import Message, Run

_SIZE = r"[\s…]+(-?[\d.]+) ([kMGTP]?)B"
_DELETED = re.compile(rf"Deleted data:{_SIZE * 3}\s*\Z")
_DECIMAL = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}
STEP, COUNTER = "compact", "freeable_bytes"
_FREEING = ("prune", "tidy")  # the steps that give archives up


class GivenUp(NamedTuple):
    """Bytes that deleted archives gave up, as `borg prune --stats` says: three digits of them are right."""

    original: int = 0
    compressed: int = 0
    unique: int = 0

    def plus(self, other: GivenUp | None) -> GivenUp | None:
        """Return the sum; None where one of them is not known."""
        return None if other is None else GivenUp(*(a + b for a, b in zip(self, other, strict=True)))


NOTHING = GivenUp()


def given_up(messages: Iterable[Message]) -> GivenUp | None:
    """Return what a prune gave up; None if it does not say."""
    for message in messages:
        if match := _DELETED.match(message.text):
            sizes = zip(match.groups()[::2], match.groups()[1::2], strict=True)
            return GivenUp(*(abs(round(float(number) * _DECIMAL[unit])) for number, unit in sizes))
    return None


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
        for name in _FREEING:
            freed = steps[name].counters.get(COUNTER) if name in steps else 0
            if freed is None:
                return None
            waiting += int(freed)
    if last is None or now - last >= every or waiting >= repository_bytes * share:
        return None
    return f"only {format_size(waiting)} to gain; next at the latest in {format_duration(every - (now - last))}"
