"""What all records of the state are made of: the base type and the types of their fields."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=0)]
UtcTime = Annotated[datetime, Meta(tz=True)]


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Readers ignore fields they do not know, so that a newer writer of the same version does not break them."""


class Outcome(StrEnum):
    """How a run or a step ended. `running`: it has not ended, or died without saying so.

    `deferred`: the job decided not to do its work now, for a good reason, and its deadline has not passed.
    `skipped`: a step that was not needed, or a run that never began because another one held the lock.
    """

    RUNNING = "running"
    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"
    INTERRUPTED = "interrupted"
    SKIPPED = "skipped"
    DEFERRED = "deferred"

    @property
    def is_good(self) -> bool:
        """Return whether the work was done, with warnings or without."""
        return self in {Outcome.SUCCESS, Outcome.WARNING}

    @property
    def is_verdict(self) -> bool:
        """Return whether the work came to its end, good or bad."""
        return self.is_good or self is Outcome.FAILURE

    @property
    def is_trouble(self) -> bool:
        """Return whether the work was wanted and not done."""
        return self in {Outcome.FAILURE, Outcome.INTERRUPTED, Outcome.SKIPPED}
