"""What an archive's name says: whether it is a good one, and what is the matter with it if not. Pure.

    PREFIX-RUN              a good one: proven by the night that made it; all that retention counts
    unproven-PREFIX-RUN     made, and not proven: what every archive is called first
    incomplete-PREFIX-RUN   a source is missing in it, or it holds no file
    suspicious-PREFIX-RUN   it is much smaller than the nights before

A prefix holds no dash, so that no prefix is the beginning of another archive's name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

UNPROVEN, INCOMPLETE, SUSPICIOUS = "unproven-", "incomplete-", "suspicious-"
SET_ASIDE = (UNPROVEN, INCOMPLETE, SUSPICIOUS)
KEPT = 3  # of each kind that is set aside
_CHECKPOINT = re.compile(r"\.checkpoint(\.[0-9]+)?\Z")
_RUN = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}\Z")


class Dated(Protocol):
    """An archive that the repository lists; `started_at` is UTC."""

    @property
    def name(self) -> str:
        """Return its name."""

    @property
    def started_at(self) -> datetime:
        """Return when it was begun, by the clock of its host."""


D = TypeVar("D", bound=Dated)


def is_checkpoint(name: str) -> bool:
    """Return whether borg left this archive as the saved progress of one that never came to its end."""
    return _CHECKPOINT.search(name) is not None


def is_good_name(name: str, prefix: str) -> bool:
    """Return whether an archive of this name counts: for retention, for `latest`, for the drill."""
    return name.startswith(f"{prefix}-") and not is_checkpoint(name)


def kind_of(name: str, prefix: str) -> str | None:
    """Return which of `SET_ASIDE` an archive of this prefix is; None if it is none of them."""
    return next((kind for kind in SET_ASIDE if name.startswith(f"{kind}{prefix}-")), None)


def renamed(name: str, kind: str = "") -> str:
    """Return the archive's name as one of that kind of `SET_ASIDE`, or as a good one."""
    for each in SET_ASIDE:
        name = name.removeprefix(each)
    return kind + name


def run_of(name: str) -> str | None:
    """Return the id of the run that made the archive; None where bkp has not named it."""
    found = _RUN.search(name)
    return found[0] if found else None


def prefix_of(name: str) -> str | None:
    """Return the prefix of an archive that bkp has named; None of any other."""
    run = run_of(name)
    return renamed(name).removesuffix(f"-{run}") if run else None


def good_ones(archives: Iterable[D], prefix: str) -> list[D]:
    """Return the archives that count, oldest first."""
    return sorted((each for each in archives if is_good_name(each.name, prefix)), key=lambda each: each.started_at)


def of_the_future(archives: Iterable[D], now: datetime) -> list[D]:
    """Return those that are dated after `now` (UTC): the clock was wrong when they were made, or is wrong now."""
    return [each for each in archives if each.started_at > now]
