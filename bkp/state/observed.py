"""Observations: what a probe saw, part by part, each with its time and source, and its value or the reason for none.

An observation is no run: it has no line in the history, no log and no mail. Its file is replaced whole. A part that
cannot be seen now keeps the value it last had, with the time of that; so one bad part takes nothing else down, and an
old value never looks new.

    observed/NAME.json      one file for each kind of thing that is observed
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Literal, TypeVar

import msgspec

from bkp.state.fields import Record, UtcTime
from bkp.state.files import read_record, write_record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from bkp.state.reading import Reading

T = TypeVar("T")


class Part(Record, Generic[T], frozen=True, kw_only=True):
    """One thing that a probe looks at. `source` is the command that was asked.

    `error` says why the last look saw nothing. `value` is what was last seen, at `seen_at`; with an `error` it is
    older than `looked_at`. `missing`: the look itself went well, and the thing was not there; without it, an `error`
    means that nothing is known.
    """

    source: str
    looked_at: UtcTime
    error: str | None = None
    missing: bool = False
    seen_at: UtcTime | None = None
    value: T | None = None


class Observed(Record, Generic[T], frozen=True, kw_only=True):
    """All parts of one kind, by name."""

    schema: Literal[1] = 1
    host: str
    parts: dict[str, Part[T]]


def seen(value: T, source: str, now: datetime) -> Part[T]:
    """Return the part of a look that saw something."""
    return Part(source=source, looked_at=now, seen_at=now, value=value)


def not_seen(error: str, source: str, now: datetime, before: Part[T] | None, *, missing: bool = False) -> Part[T]:
    """Return the part of a look that saw nothing: what was seen `before` stays, with its time.

    `missing`: the thing is not there, rather than that it could not be seen.
    """
    if before is None:
        return Part(source=source, looked_at=now, error=error, missing=missing)
    return msgspec.structs.replace(before, source=source, looked_at=now, error=error, missing=missing)


def path_of(state: Path, name: str) -> Path:
    """Return the file of one kind of observation."""
    return state / "observed" / f"{name}.json"


def write_observation(state: Path, name: str, host: str, parts: Mapping[str, Part[T]]) -> None:
    """Replace the observation `name`. Raise `StateError` if it cannot be written; the old one then stays."""
    write_record(path_of(state, name), Observed(host=host, parts=dict(parts)), durable=False)


def read_observation(state: Path, name: str, kind: type[T]) -> Reading[Observed[T]]:
    """Return the observation `name`, whose values are of `kind`, or why it cannot be had. Never raises."""
    return read_record(path_of(state, name), Observed[kind])  # type: ignore[valid-type]  # msgspec reads it at run time
