"""borg's JSON replies as typed records. borg prints local times without a zone; it is run with TZ=UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from bkp import decoding
from bkp.errors import StepFailedError

T = TypeVar("T")


class _Reply(msgspec.Struct, frozen=True):
    pass


class CreateStats(_Reply, frozen=True):
    """`archive.stats` of `borg create --json`, in bytes."""

    nfiles: int
    original_size: int
    compressed_size: int
    deduplicated_size: int


class CreatedArchive(_Reply, frozen=True):
    """`archive` of `borg create --json`."""

    name: str
    id: str
    start: str
    end: str
    stats: CreateStats


class CacheStats(_Reply, frozen=True):
    """`cache.stats` of `borg create --json`: the whole repository, in bytes."""

    total_chunks: int
    total_unique_chunks: int
    total_size: int
    total_csize: int
    unique_csize: int


class Cache(_Reply, frozen=True):
    """`cache`."""

    stats: CacheStats


class Encryption(_Reply, frozen=True):
    """`encryption`."""

    mode: str


class RepositoryReply(_Reply, frozen=True):
    """`repository`."""

    id: str
    location: str


class CreateReply(_Reply, frozen=True):
    """`borg create --json`."""

    archive: CreatedArchive
    cache: Cache
    encryption: Encryption
    repository: RepositoryReply


class ListedArchive(_Reply, frozen=True):
    """One archive of `borg list --json`."""

    name: str
    id: str
    start: str


class ListReply(_Reply, frozen=True):
    """`borg list --json` of a repository, oldest first."""

    archives: list[ListedArchive]
    encryption: Encryption
    repository: RepositoryReply


def decode(stdout: bytes, kind: type[T]) -> T:
    """Return borg's reply; raise `StepFailedError` where it is not what that command prints."""
    try:
        return decoding.decode(stdout, kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise _not_understood(exc) from exc


def utc(text: str) -> datetime:
    """Return one of borg's times, which TZ=UTC made UTC; a zone in the text (borg 1.4.5 and later) wins."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise _not_understood(exc) from exc
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _not_understood(exc: Exception) -> StepFailedError:
    return StepFailedError(f"borg's reply is not understood: {exc}", remedy="see the log for borg's version")
