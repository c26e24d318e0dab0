"""Pauses: a job that is not run by its timer until a given time, for maintenance. Pure: a pause and a clock.

A pause ends by itself, and none lasts longer than `LONGEST`: nobody must be able to forget one for good. It hides only
that the job did not run. What a run found wrong stays a concern.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bkp.state.reading import Readable

if TYPE_CHECKING:
    from datetime import datetime

    from bkp.state.reading import Reading
    from bkp.state.records import Pause

LONGEST = timedelta(days=31)
LONGEST_REASON = 200  # characters


def in_force(reading: Reading[Pause], job: str, target: str, now: datetime) -> Pause | None:
    """Return the pause of this job and target that holds now; None for one that has ended, or that nobody could set.

    One that lies in the future, lasts longer than `LONGEST` or is of another job was not written by `bkp-run pause`.
    """
    if not isinstance(reading, Readable):
        return None
    pause = reading.value
    sound = (pause.job, pause.target) == (job, target) and pause.until - pause.paused_at <= LONGEST
    return pause if sound and pause.paused_at <= now < pause.until else None


def doubt(reading: Reading[Pause], job: str, target: str, now: datetime) -> str | None:
    """Return why a recorded pause counts for nothing though it has not ended; None if there is nothing to say of it."""
    if not isinstance(reading, Readable) or now >= reading.value.until or in_force(reading, job, target, now):
        return None
    pause = reading.value
    if (pause.job, pause.target) != (job, target):
        return f"is of {pause.job} on {pause.target}"
    return "lies in the future" if pause.paused_at > now else f"lasts longer than {LONGEST.days} days"
