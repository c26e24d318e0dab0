"""What a state file says. Times are UTC, durations seconds, sizes bytes. A record never holds a secret.

The documented JSON Schema (`docs/state/*.schema.json`) is generated from these types.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from bkp.state.fields import Count, Outcome, Record, UtcTime
from bkp.state.results import Archive, CheckResult, Listed, NightlyResult, PruneResult, Result

SCHEMA_VERSION = 1


class Message(Record, frozen=True, kw_only=True):
    """One warning or error, as borg or bkp said it (secrets masked); `msgid` is borg's, where it gave one."""

    level: Literal["info", "warning", "error"]
    text: str
    msgid: str | None = None


class Step(Record, frozen=True, kw_only=True):
    """One step of a run. `exit_code` is the program's own; `reason` says why a step was skipped or failed."""

    name: str
    started_at: UtcTime
    ended_at: UtcTime | None = None
    outcome: Outcome = Outcome.RUNNING
    exit_code: int | None = None
    reason: str | None = None
    message_ids: tuple[str, ...] = ()
    counters: dict[str, int | float] = msgspec.field(default_factory=dict)


class Process(Record, frozen=True, kw_only=True):
    """Who writes the record: enough to tell, later, whether that process still lives (proc(5))."""

    pid: int
    started_ticks: int
    boot_id: str


class Ended(Record, frozen=True, kw_only=True):
    """How an earlier run ended."""

    run_id: str
    outcome: Outcome
    ended_at: UtcTime
    reason: str | None = None


class Run(Record, frozen=True, kw_only=True):
    """One run of one job on one target, written when it starts, when each step begins, and when it ends.

    `reason` says why it did not simply succeed, `remedy` what a person should do about that. `subject` is the id of the
    very thing that it worked on (of a repository, borg's): what is found of one is not true of another in its place.
    `key_fingerprint` is that of the key which the repository had (SHA-256 of the blob that `borg key export` gives).
    `before` is the last attempt that came to an end before this one began: it stands until this one has ended.
    `outlives_process`: the work goes on without a process of ours (in the kernel, in a disk), so the death of the
    process does not end the run.
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
    subject: str | None = None
    key_fingerprint: str | None = None
    result: Result | None = None
    before: Ended | None = None
    outlives_process: bool = False
    log: str | None = None
    versions: dict[str, str] = msgspec.field(default_factory=dict)
    schedule: str | None = None
    mail: Literal["sent", "kept", "failed", "not wanted"] | None = None

    @property
    def seconds(self) -> float | None:
        """Return how long the run took, or None while it has no end."""
        return (self.ended_at - self.started_at).total_seconds() if self.ended_at else None

    @property
    def archive(self) -> Archive | None:
        """Return the archive that a night made; None for a night without one, and for any other job."""
        return self.result.archive if isinstance(self.result, NightlyResult) else None

    @property
    def listed(self) -> Listed | None:
        """Return what the repository listed, where the run has asked it."""
        return self.result.listed if isinstance(self.result, NightlyResult | CheckResult | PruneResult) else None

    @property
    def end(self) -> Ended | None:
        """Return the last known end: this run's own, or while it has none the one before it.

        A deferred run did no work: what came before it still stands.
        """
        if self.ended_at is None or self.outcome is Outcome.DEFERRED:
            return self.before
        return Ended(run_id=self.run_id, outcome=self.outcome, ended_at=self.ended_at, reason=self.reason)


class SampleFile(Record, frozen=True, kw_only=True):
    """One file drawn for the drill: its path as archived (no leading slash), its size and SHA-256 when backed up."""

    path: str
    bytes: Count
    sha256: str


class DrillSample(Record, frozen=True, kw_only=True):
    """The random sample that a nightly run drew from the very tree it archived."""

    schema: Literal[1] = 1
    target: str
    archive: str
    archive_id: str
    drawn_at: UtcTime
    files: tuple[SampleFile, ...]
    candidates: Count


class KnownRepository(Record, frozen=True, kw_only=True):
    """Which repository a target's archives go into, so that another one in its place is noticed.

    `archive_prefix` is what their names begin with, if that is known. `path` is where it lay when a night last used it,
    as configured. All that the repository held at `accepted_at` is this server's: it was the first night, or a person
    has said so.
    """

    schema: Literal[1] = 1
    target: str
    id: str
    encryption: str
    archive_prefix: str | None
    accepted_at: UtcTime
    path: str | None = None


class Pause(Record, frozen=True, kw_only=True):
    """That a job is not run by its timer for a while, why, and who said so (`bkp-run pause`)."""

    schema: Literal[1] = 1
    job: str
    target: str
    until: UtcTime
    reason: str
    paused_at: UtcTime
    by: str


class LockHolder(Record, frozen=True, kw_only=True):
    """What a lock file says of the run that holds it."""

    schema: Literal[1] = 1
    run_id: str
    job: str
    target: str
    started_at: UtcTime
    process: Process


MailAbout = Literal["run", "watch", "audit", "test", "unit", "digest"]
MailResult = Literal["sent", "kept", "failed", "confirmed"]


class MailNote(Record, frozen=True, kw_only=True):
    """What became of a mail: `kept` waits in the outbox, `failed` is neither sent nor kept any more.

    `code_hash` is the SHA-256 of the code in a test mail; `confirmed`: a person has typed the code of that mail.
    `run_id` is that of the run whose report it is.
    """

    message_id: str
    about: MailAbout
    to: str
    result: MailResult
    at: UtcTime
    run_id: str | None = None
    reason: str | None = None
    code_hash: str | None = None


class LedgerLine(Record, frozen=True, kw_only=True):
    """One line of the history: a run or what became of a mail, its number, and the SHA-256 of the line before it.

    Before the first line stand 64 zeros.
    """

    schema: Literal[1] = 1
    seq: Count
    previous: str
    run: Run | None = None
    mail: MailNote | None = None
    note: str | None = None


class KnownVersion(Record, frozen=True, kw_only=True):
    """What a program said its version is, and how to tell that it is still the same file (stat(2))."""

    schema: Literal[1] = 1
    path: str
    mtime_ns: int
    bytes: Count
    version: str


DOCUMENTED: dict[str, type[msgspec.Struct]] = {
    "run": Run,
    "sample": DrillSample,
    "lock": LockHolder,
    "history-line": LedgerLine,
    "borg-version": KnownVersion,
    "repository": KnownRepository,
    "pause": Pause,
}
