"""An attestation: what a person vouched for, bound to a subject and, for keys, to the very key. Pure data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Level = Literal["seen", "matched", "opened"]
LEVELS: tuple[Level, ...] = ("seen", "matched", "opened")
WARN_DAYS = 14


class Attestation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person vouched for: bound to a subject and, for keys, to the fingerprint that was seen.

    `repository_id` is the id of the repository, or of the encryption root of a ZFS key (its guid), or what a replica is
    a copy of (`USER@HOST:DATASET`). `bound_to` is the key's fingerprint, or the SHA-256 of the report that was read.
    `previous` is the SHA-256 of the line before it in the attestation file, 64 zeros for the first.
    """

    schema: Literal[1] = 1
    id: str
    topic: str
    subject: str
    level: Level
    repository_id: str | None = None
    bound_to: str | None = None
    statement: str
    who: str
    host: str
    at: Annotated[datetime, Meta(tz=True)]
    valid_until: Annotated[datetime, Meta(tz=True)]
    versions: dict[str, str] = {}
    previous: str


@dataclass(frozen=True)
class Attestations:
    """Every readable attestation, oldest first; with a `problem`, none of them counts.

    `elsewhere` are those that were made for another host, and count for nothing here.
    """

    records: tuple[Attestation, ...] = ()
    problem: str | None = None
    elsewhere: tuple[Attestation, ...] = ()

    def of_host(self, names: frozenset[str]) -> Attestations:
        """Return the same for a host of these names, which are in small letters."""
        own = tuple(each for each in self.records if each.host.casefold() in names)
        others = tuple(each for each in self.records if each.host.casefold() not in names)
        return Attestations(own, self.problem, (*self.elsewhere, *others))
