"""The seam between the nightly and the kinds of source: a plain directory, or a ZFS dataset."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bkp.patience import PATIENCE, in_time

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from datetime import datetime

    from bkp.config.repositories import Source


@dataclass(frozen=True)
class PreparedRoot:
    """One path for borg, as os.path.normpath writes it.

    `problem` says why it must not be archived as if whole; `note` what else the record is to say of it. `snapshot` is
    the received one that is archived, and `snapshot_at` (UTC) when the live server made it. `guid` is the dataset's.
    `mounts` is where file systems are mounted whose files are archived, at the path of a directory and below it.
    """

    path: str
    dataset: str | None = None
    problem: str | None = None
    note: str | None = None
    snapshot: str | None = None
    snapshot_at: datetime | None = None
    guid: str | None = None
    mounts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Omitted:
    """A dataset of the source that no archive holds, and why. `warn`: nobody has said that this is intended."""

    dataset: str
    reason: str
    warn: bool


@dataclass(frozen=True)
class PreparedSource:
    """A source that is ready to be read: its roots, in order, and what it leaves out.

    The excludes of `source` are those that borg is given, which leave out nothing of another source.
    """

    name: str
    source: Source
    roots: tuple[PreparedRoot, ...]
    left_out: tuple[Omitted, ...] = ()


def identity(path: str, patience: float = PATIENCE) -> tuple[int, int] | None:
    """Return device and inode of what lies at a path, None if nothing does. Symbolic links are not followed.

    A file system that does not answer within `patience` seconds has nothing there for us.
    """
    try:
        facts = in_time(lambda: os.lstat(path), patience)
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def is_mount(path: str, patience: float = PATIENCE) -> bool:
    """Return whether what lies at a path is on another device than the folder above it. As `identity` in all else."""
    own, above = (identity(each, patience) for each in (path, os.path.dirname(path)))  # noqa: PTH120  # as a name
    return own is not None and above is not None and own[0] != above[0]


class SourceKind(Protocol):
    """How one kind of source is made ready and let go."""

    def prepare(self, name: str, source: Source) -> AbstractContextManager[PreparedSource]:
        """Make the source readable for as long as the block lasts."""
