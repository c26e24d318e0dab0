"""What a look came to, for one part: a value, or why there is none; and how that joins what was seen before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from bkp.state.observed import Part, not_seen, seen

if TYPE_CHECKING:
    from datetime import datetime

T = TypeVar("T")


@dataclass(frozen=True)
class Unseen:
    """Nothing was seen, for this reason. `missing`: what was looked for is not there."""

    reason: str
    missing: bool = False


@dataclass(frozen=True)
class Sight(Generic[T]):
    """One look at one thing: what was asked (`source`), when, and what that gave."""

    source: str
    at: datetime
    found: T | Unseen


def merged(sight: Sight[T], before: Part[T] | None) -> Part[T]:
    """Return the part: the new value, or the reason for none beside the value that was seen before."""
    if isinstance(sight.found, Unseen):
        return not_seen(sight.found.reason, sight.source, sight.at, before, missing=sight.found.missing)
    return seen(sight.found, sight.source, sight.at)
