"""What a state file says. Times are UTC, durations seconds, sizes bytes. A record never holds a secret.

The documented JSON Schema (`docs/state/*.schema.json`) is generated from these types.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

SCHEMA_VERSION = 1

Count = Annotated[int, Meta(ge=0)]
UtcTime = Annotated[datetime, Meta(tz=True)]


class Outcome(StrEnum):
    """How a run or a step ended. `running` is a run that has not ended, or that died without saying so."""

    RUNNING = "running"
    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"
    INTERRUPTED = "interrupted"
    SKIPPED = "skipped"


class _Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Readers ignore fields they do not know, so that a newer writer of the same version does not break them."""


class Message(_Record, frozen=True, kw_only=True):
    """One warning or error, as borg or bkp said it (secrets masked); `msgid` is borg's, where it gave one."""

    level: Literal["info", "warning", "error"]
    text: str
    msgid: str | None = None


class Step(_Record, frozen=True, kw_only=True):
    """One step of a run. `exit_code` is the program's own; `reason` says why a step was skipped or failed."""

    name: str
    started_at: UtcTime
    ended_at: UtcTime | None = None
    outcome: Outcome = Outcome.RUNNING
    exit_code: int | None = None
    reason: str | None = None
    message_ids: tuple[str, ...] = ()
    counters: dict[str, int | float] = {}


class Root(_Record, frozen=True, kw_only=True):
    """A source's path in one archive; `present` is False where the path was not there to be archived.

    `reason` says why not; of one that is present, what is unusual about it.
    """

    source: str
    path: str
    present: bool
    dataset: str | None = None
    reason: str | None = None


class LeftOut(_Record, frozen=True, kw_only=True):
    """A dataset below a source that the archive does not hold, and why."""

    source: str
    dataset: str
    reason: str


class Archive(_Record, frozen=True, kw_only=True):
    """The archive of one night, from `borg create --json`; the deduplicated size is that night's.

    `confirmed` says that the repository lists it, whole or not; `bkp.state.archives` says whether it is a good one.
    `size_suspicion` says how it falls short of the nights before; `size_accepted` is True where somebody said that its
    size is right, from when on it is the usual one.
    """

    name: str
    id: str
    started_at: UtcTime
    ended_at: UtcTime
    files: Count
    original_bytes: Count
    compressed_bytes: Count
    deduplicated_bytes: Count
    confirmed: bool = False
    size_suspicion: str | None = None
    size_accepted: bool = False
    roots: tuple[Root, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


class RepositoryFacts(_Record, frozen=True, kw_only=True):
    """The repository as borg last described it (`borg list --json`, cache statistics of `borg create --json`)."""

    id: str
    location: str
    encryption: str
    archives: Count | None = None
    incomplete_archives: Count | None = None
    oldest_archive_at: UtcTime | None = None
    newest_archive_at: UtcTime | None = None
    original_bytes: Count | None = None
    compressed_bytes: Count | None = None
    deduplicated_bytes: Count | None = None
    chunks: Count | None = None
    unique_chunks: Count | None = None
    free_bytes: Count | None = None
    size_bytes: Count | None = None


class DrillResult(_Record, frozen=True, kw_only=True):
    """What a restore drill compared: files of the recorded sample against the files extracted from the archive."""

    archive: str
    archive_id: str
    files: Count
    bytes: Count
    matched: Count
    mismatched: Count
    missing: Count
    seconds: float


class Process(_Record, frozen=True, kw_only=True):
    """Who writes the record: enough to tell, later, whether that process still lives (proc(5))."""

    pid: int
    started_ticks: int
    boot_id: str


class Run(_Record, frozen=True, kw_only=True):
    """One run of one job on one target, written when it starts, when each step begins, and when it ends.

    `reason` says why it did not simply succeed, `remedy` what a person should do about that.
    """

    schema: Literal[1] = 1
    run_id: str
    job: str
    target: str
    host: str
    outcome: Outcome
    started_at: UtcTime
    ended_at: UtcTime | None = None
    reason: str | None = None
    remedy: str | None = None
    process: Process
    steps: tuple[Step, ...] = ()
    messages: tuple[Message, ...] = ()
    messages_dropped: Count = 0
    archive: Archive | None = None
    repository: RepositoryFacts | None = None
    drill: DrillResult | None = None
    log: str | None = None
    versions: dict[str, str] = {}
    schedule: str | None = None
    mail: Literal["sent", "failed", "not wanted"] | None = None

    @property
    def seconds(self) -> float | None:
        """Return how long the run took, or None while it has no end."""
        return (self.ended_at - self.started_at).total_seconds() if self.ended_at else None


class SampleFile(_Record, frozen=True, kw_only=True):
    """One file drawn for the drill: its path as archived (no leading slash), its size and SHA-256 when backed up."""

    path: str
    bytes: Count
    sha256: str


class Sample(_Record, frozen=True, kw_only=True):
    """The random sample that a nightly run drew from the very tree it archived."""

    schema: Literal[1] = 1
    target: str
    archive: str
    archive_id: str
    drawn_at: UtcTime
    files: tuple[SampleFile, ...]
    candidates: Count


class LockHolder(_Record, frozen=True, kw_only=True):
    """What a lock file says of the run that holds it."""

    schema: Literal[1] = 1
    run_id: str
    job: str
    target: str
    started_at: UtcTime
    process: Process


class LedgerLine(_Record, frozen=True, kw_only=True):
    """One line of the history: a run, its number, and the SHA-256 of the line before it (64 zeros for the first)."""

    schema: Literal[1] = 1
    seq: Count
    previous: str
    run: Run | None = None
    note: str | None = None


class KnownVersion(_Record, frozen=True, kw_only=True):
    """What a program said its version is, and how to tell that it is still the same file (stat(2))."""

    schema: Literal[1] = 1
    path: str
    mtime_ns: int
    bytes: Count
    version: str


DOCUMENTED: dict[str, type[msgspec.Struct]] = {
    "run": Run,
    "sample": Sample,
    "lock": LockHolder,
    "history-line": LedgerLine,
    "borg-version": KnownVersion,
}
