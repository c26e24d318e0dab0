"""What a run found or made, by kind of job: records alone. `bkp.state.descriptions` says them in words.

A new job that has something to tell adds its result here: a record with a tag, and a place in `Result`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from bkp.state.fields import Count, Record, UtcTime

if TYPE_CHECKING:
    from datetime import datetime


class Root(Record, frozen=True, kw_only=True):
    """A source's path in one archive; `present` is False where the path was not there to be archived.

    `reason` says why not. Of a path that is present it says what is unusual about it. `snapshot` is the received
    snapshot that was archived, where the dataset is a replica, and `snapshot_at` when the live server made it. `guid`
    is the dataset's own, by which one that was made anew under its name is known. `mounts` is where file systems were
    mounted, at the path of a directory and below it, whose files the archive holds; the first 200 of them.
    """

    source: str
    path: str
    present: bool
    dataset: str | None = None
    reason: str | None = None
    snapshot: str | None = None
    snapshot_at: UtcTime | None = None
    guid: str | None = None
    mounts: tuple[str, ...] = ()


class LeftOut(Record, frozen=True, kw_only=True):
    """A dataset below a source that the archive does not hold, and why."""

    source: str
    dataset: str
    reason: str


class Archive(Record, frozen=True, kw_only=True):
    """The archive of one night, from `borg create --json`; the deduplicated size is that night's.

    `confirmed` says that the repository lists it, whole or not; `bkp.state.archives` says whether it is a good one.
    `size_suspicion` says how it falls short of the nights before. `size_accepted` is True where a person said that its
    size is right; from then on it is the usual one.
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


class RepositoryFacts(Record, frozen=True, kw_only=True):
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


class Gone(Record, frozen=True, kw_only=True):
    """An archive that is missed: the beginning of its id, and when that was noticed first."""

    id: str
    since: UtcTime


class Listed(Record, frozen=True, kw_only=True):
    """This server's archives that count, as the repository listed them, held against what earlier runs recorded.

    `held` are those that are there at the end of the run, by name, with the first 16 digits of their ids, but for those
    dated in the future. `removed` are those that this run gave up, or was about to when it died; None where it pruned
    nothing. `gone` are missed: recorded once, listed no more, and given up by no run. `accepted` are those of them of
    which a person has said, in this run, that this is right.
    """

    held: dict[str, str]
    removed: tuple[str, ...] | None = None
    gone: dict[str, Gone] = msgspec.field(default_factory=dict)
    accepted: tuple[str, ...] = ()


class NightlyResult(Record, frozen=True, kw_only=True, tag="nightly"):
    """The archive that a night made, the repository after it, and what that lists."""

    archive: Archive
    repository: RepositoryFacts
    listed: Listed | None = None


class CheckResult(Record, frozen=True, kw_only=True, tag="check"):
    """How far borg's own look at the repository went; `all_data`: every chunk was decrypted and authenticated."""

    all_data: bool
    listed: Listed | None = None


class DrillResult(Record, frozen=True, kw_only=True, tag="drill"):
    """What a restore drill compared: files of the recorded sample with the files extracted from the archive."""

    archive: str
    archive_id: str
    files: Count
    bytes: Count
    matched: Count
    mismatched: Count
    missing: Count
    seconds: float

    @property
    def is_good(self) -> bool:
        """Return whether every file came back as it was, and there was one."""
        return 0 < self.files == self.matched and not self.mismatched and not self.missing


class PruneResult(Record, frozen=True, kw_only=True, tag="prune"):
    """What a prune on demand deleted and kept; `given_up_bytes` is the unique data of the deleted, if borg said it."""

    deleted: Count
    kept: Count
    given_up_bytes: Count | None = None
    listed: Listed | None = None


class ScrubResult(Record, frozen=True, kw_only=True, tag="scrub"):
    """How far a scrub is, or what it came to, as the pool itself told it at `seen_at`.

    `adopted`: it ran already, or was paused. `finished` is True only for one that went through to its end. `examined`
    is what it had to read, in bytes. `seconds` are those at work, without pauses. `disks` are those, or the devices,
    that counted errors at any look. `paused_by_us`: it stands aside for the nightly run. `previous_end` is that of the
    scrub before it, by which the pool's last scrub is known to be another one, whatever the clock did meanwhile.
    """

    started_at: UtcTime | None = None
    ended_at: UtcTime | None = None
    previous_end: UtcTime | None = None
    finished: bool = False
    adopted: bool = False
    seen_at: UtcTime | None = None
    progress: float | None = None
    paused_at: UtcTime | None = None
    paused_by_us: bool = False
    errors: Count | None = None
    repaired_bytes: Count | None = None
    examined_bytes: Count | None = None
    seconds: Count | None = None
    disks: tuple[str, ...] = ()

    @property
    def bytes_per_second(self) -> float | None:
        """Return how fast it read; None where that is not known."""
        return self.examined_bytes / self.seconds if self.examined_bytes is not None and self.seconds else None


TestWord = Literal["running", "passed", "failed", "aborted", "interrupted", "unsupported", "unknown"]


class SelfTestRecord(Record, frozen=True, kw_only=True, tag="selftest"):
    """How far a self-test is, or how it ended, as the disk's own log told it at `seen_at`.

    `said` is the log's wording. `minutes` are what the disk says that the test takes. `power_on_hours` are the disk's
    when it began, and `log_before` marks each entry of that kind that its log had then. `aborted_in_a_row` counts the
    newest tests of the log.
    """

    kind: Literal["short", "long"]
    ended_as: TestWord = "running"
    said: str | None = None
    begun_at: UtcTime | None = None
    seen_at: UtcTime | None = None
    progress: float | None = None
    minutes: Count | None = None
    power_on_hours: Count | None = None
    log_before: str = ""
    first_bad_lba: Count | None = None
    aborted_in_a_row: Count = 0

    @property
    def passed(self) -> bool:
        """Return whether the test went through to its end and found nothing. Only that says when a disk last passed."""
        return self.ended_as == "passed"


class EscrowResult(Record, frozen=True, kw_only=True, tag="escrow-drill"):
    """What lies at an escrow location, tried: the key it holds, and what it gave back.

    `copy` is the folder of the copy that was opened; None where it was the repository itself.
    `usable`: borg takes the export as it is. `archives` are those that the repository listed with it; `restored` is
    what the recorded sample came to. Neither is known where the drill did not get so far.
    """

    location: str
    by: str
    copy: str | None = None
    key_fingerprint: str
    usable: bool
    archives: Count | None = None
    restored: DrillResult | None = None


class ReplicaDataset(Record, frozen=True, kw_only=True):
    """The newest snapshot that a dataset here has in common with the live server's; None where there is none.

    `guid` is that of the dataset here: what is known of it is not true of another one that has its name later.
    """

    dataset: str
    guid: str | None = None
    snapshot: str | None = None
    snapshot_at: UtcTime | None = None


class Partial(Record, frozen=True, kw_only=True):
    """A receive that was cut off and can be resumed: since when it is seen, and onto which snapshot, if onto one."""

    dataset: str
    since: UtcTime
    base: str | None = None


class SyncResult(Record, frozen=True, kw_only=True, tag="sync"):
    """What a pull came to.

    `datasets` are all that the live server has and that are to be pulled; None where it could not be asked. `bytes` are
    those of the streams (pv), over `seconds`; None where nobody counted. `cure` of a pull that failed: it passes by
    itself, a person has to act, or what was begun never succeeds. `gate`: whether the live server refused what it must
    refuse, and when that was tried last.
    """

    source: str
    target: str
    raw: bool
    datasets: tuple[ReplicaDataset, ...] | None = None
    partial: tuple[Partial, ...] = ()
    bytes: Count | None = None
    seconds: float | None = None
    cause: str | None = None
    cure: Literal["passes", "person", "never"] | None = None
    gate: Literal["refused", "ran"] | None = None
    gate_tested_at: UtcTime | None = None

    @property
    def lacking(self) -> tuple[str, ...]:
        """Return the datasets that have nothing in common with the live server's."""
        return tuple(each.dataset for each in self.datasets or () if each.snapshot_at is None)

    @property
    def newest_common_at(self) -> datetime | None:
        """Return when the snapshot was made that every dataset has, or a newer one; None where one has none."""
        times = [each.snapshot_at for each in self.datasets or () if each.snapshot_at is not None]
        return None if self.lacking or not times else min(times)

    @property
    def bytes_per_second(self) -> float | None:
        """Return how fast it pulled; None where that is not known."""
        return self.bytes / self.seconds if self.bytes is not None and self.seconds else None


Result = (
    NightlyResult | CheckResult | DrillResult | PruneResult | ScrubResult | SelfTestRecord | EscrowResult | SyncResult
)
