"""What reading a state file comes to: a value, nothing there, or unreadable for a reason. Pure: only types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

T = TypeVar("T")


@dataclass(frozen=True)
class Readable(Generic[T]):
    """A state file that is as it should be, and when it was written (file modification time, UTC)."""

    value: T
    path: Path
    written_at: datetime


@dataclass(frozen=True)
class Unreadable:
    """A state file that is there but cannot be used. `reason` is one clause for people."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Missing:
    """A state file that is not there: nothing was ever written."""

    path: Path


Reading = Readable[T] | Unreadable | Missing
