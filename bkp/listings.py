"""What a repository lists, held against what runs recorded: which archives have vanished. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from bkp.archive_names import good_ones, of_the_future
from bkp.state.results import Gone, Listed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

_GONE_REMEDY = (
    "find out who removed them (another host or program, a person, an attacker), and get back from another copy what "
    "is needed; if it is right that they are gone: `bkp-run nightly --target {} --accept-gone` once"
)


class Identified(Protocol):
    """An archive that the repository lists; `started_at` is UTC."""

    @property
    def name(self) -> str:
        """Return its name."""

    @property
    def id(self) -> str:
        """Return its id, in hexadecimal digits."""

    @property
    def started_at(self) -> datetime:
        """Return when it was begun, by the clock of its host."""


def short_id(archive_id: str) -> str:
    """Return the beginning of an archive's id, which tells it from any other: what records keep of it."""
    return archive_id[:16]


def counted(archives: Iterable[Identified], prefix: str, now: datetime) -> dict[str, str]:
    """Return the archives that count, as a record keeps them. One of the future has yet to get another name."""
    good = good_ones(archives, prefix)
    early = {each.id for each in of_the_future(good, now)}
    return {each.name: short_id(each.id) for each in good if each.id not in early}


def without(listed: Listed, archives: Iterable[Identified], ids: Collection[str], prefix: str, now: datetime) -> Listed:
    """Return the listing as it is once a prune has given up the archives with these ids."""
    there = list(archives)
    left = counted([each for each in there if each.id not in ids], prefix, now)
    return replace(listed, held=left, removed=tuple(each.name for each in there if each.id in ids))


def missed(before: Listed, archives: Iterable[Identified], now: datetime) -> dict[str, Gone]:
    """Return what was there `before`, or was missed before, and is not among `archives`: by its id, not by its name."""
    there = {short_id(each.id) for each in archives}
    expected = {**before.gone, **{name: Gone(id=each, since=now) for name, each in before.held.items()}}
    return {name: each for name, each in expected.items() if each.id not in there}


def gone_remedy(target: str) -> str:
    """Return what a person should do about archives of a repository that are gone."""
    return _GONE_REMEDY.format(target)


def gone_words(gone: Collection[str]) -> str:
    """Return how many archives are missed, in words."""
    many = len(gone) != 1
    return f"{len(gone):,} archive{'s are' if many else ' is'} gone that no prune of ours removed"
