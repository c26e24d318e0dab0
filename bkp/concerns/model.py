"""What a concern is, and every kind of it that there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

ConcernSeverity = Literal["critical", "warning", "info"]
GRAVEST_FIRST: tuple[ConcernSeverity, ...] = ("critical", "warning", "info")

# Every kind, and what it means. Alerts, runbooks and mails are held against this table.
KINDS: dict[str, str] = {
    "state_missing": "the state directory is not there or cannot be read: nothing is known",
    "state_unreadable": "a state file cannot be used",
    "history_broken": "the history of runs is not whole",
    "records_unconfigured": "the state has records of something that the configuration does not name",
    "config_invalid": "the configuration file as it is now is not in use",
    "internal_error": "a part of the state cannot be judged because of a defect in bkp",
    "clock_ahead": "a record lies in the future: the clock was ahead when it was written, or is behind now",
    "job_late": "a job did not succeed before its deadline",
    "job_never": "a scheduled job has never run",
    "job_failed": "the last attempt of a job failed, and its deadline has not passed",
    "job_unknown": "how a job stands cannot be known",
    "job_paused": "a job is paused: its timer does not run it, and that it is late is no concern meanwhile",
    "job_warnings": "the last attempt of a job succeeded with warnings",
    "mail_failed": "a mail could neither be sent nor kept, or was given up",
    "mail_waiting": "mails wait to be sent for too long, or what waits cannot be seen",
    "watch_stale": "`bkp-run watch` has not looked for longer than it should: changes are not mailed",
    "check_failed": "the last check of a target that came to a verdict found something wrong",
    "drill_differs": "the last restore drill did not get back what was backed up",
    "drill_empty": "the last restore drill compared no file, which proves nothing",
    "archive_flawed": "the newest archive lacks a source, or holds no file",
    "archive_unconfirmed": "the repository has not confirmed the newest archive",
    "archive_small": "the newest archive is suspiciously small",
    "archive_old": "the newest archive in the repository is older than the schedule allows",
    "archives_gone": "archives that count are gone from the repository, and no prune of ours removed them",
    "archives_incomplete": "the repository holds archives that were set aside",
    "source_stale": "a source has been in no good archive for longer than the schedule allows",
    "escrow_outdated": "the key or passphrase was changed: copies outside the server are outdated",
    "escrow_lapsed": "nobody vouches any more, or ever did, for what a location outside the server is to hold",
    "escrow_ending": "somebody's word for what a location outside the server holds ends soon",
    "escrow_unproven": "no copy of the key was proven to open the repository within a year",
    "escrow_unknown": "whether the copies outside the server are of the key in use cannot be known",
    "replica_behind": "the newest snapshot that a replica has in common with the live server is old",
    "replica_unknown": "how far a replica is behind the live server is not known",
    "replica_lacking": "a dataset of the live server was never received",
    "replica_cut_off": "what was received in part is not resumed, or cannot be",
    "replica_gate_open": "the live server runs commands that it must refuse, or nobody has tried for too long",
    "replica_archived_old": "the newest archive holds a replica as it was long before",
    "probe_stale": "the probe has not looked for longer than it should",
    "pool_missing": "a configured pool is not imported",
    "pool_unknown": "the state of a pool cannot be seen",
    "pool_not_online": "a pool, or a device of it, is not ONLINE",
    "pool_suspended": "a pool is suspended: everything that writes to it hangs",
    "pool_errors": "devices of a pool count read, write or checksum errors",
    "pool_data_errors": "a pool has data errors: files are damaged",
    "pool_status": "zpool says that something is to be done about a pool, and nothing else here says so",
    "pool_full": "a pool has little space left",
    "pool_unconfigured": "a pool is imported that nobody configured",
    "pool_checkpoint": "a pool has a checkpoint, which keeps all deleted data",
    "scrub_old": "a pool was not scrubbed for longer than it should be, or nobody knows when it was",
    "scrub_errors": "the last scrub of a pool ended with errors, or repaired something",
    "scrub_stuck": "a scrub has been paused for a day, was canceled, or does not come to an end, as far as is known",
    "dataset_unknown": "the state of a dataset of the backup cannot be seen, or it is not there",
    "dataset_locked": "the key of a dataset of the backup is not loaded",
    "dataset_unmounted": "a dataset of the backup is not mounted",
    "disk_missing": "a configured disk is not there",
    "disk_unknown": "the health of a disk cannot be seen",
    "disk_failing": "a disk says that it fails, or an attribute of it failed before",
    "disk_sectors": "a disk has reallocated, pending or uncorrectable sectors, or media errors",
    "disk_hot": "a disk is too hot",
    "disk_worn": "a solid-state disk is worn",
    "disk_selftest_failed": "the last self-test of a disk failed",
    "disk_selftest_old": "by its own log no self-test of a disk has passed for too long",
    "disk_selftest_aborted": "the last self-tests of a disk were aborted or interrupted, one after the other",
    "records_disagree": "the record of a scrub or self-test and the hardware's own log contradict each other",
    "disk_unconfigured": "a disk, or a device of a pool, was found that nobody configured",
    "disk_disagrees": "smartctl and pySMART read a disk differently",
    "host_unknown": "the host's own state cannot be seen",
    "host_undervoltage": "the power supply was too weak since boot",
    "host_usb_resets": "USB devices were reset since boot",
    "host_no_zfs_module": "the newest installed kernel has no ZFS module, as far as is known: no pool after a reboot",
    "host_schedules": "scrubs or self-tests have no schedule, or more than one",
    "audit_old": "an audit was due and was not made, or none was ever kept",
    "audit_findings": "rules of the newest audit are not met",
    "audit_chain_broken": "a kept report of the audit was changed, damaged or removed since the next one was made",
    "filesystem_full": "the file system of a repository has little space left",
}


@dataclass(frozen=True)
class Concern:
    """One thing that somebody has to look at.

    Attributes:
        kind: one of `KINDS`.
        severity: critical (act now), warning (act soon), info (good to know).
        object: what it is about, such as `nightly on main`.
        sentence: what is wrong.
        remedy: what to do first.
        since: from when on (UTC); None where that is not known.
        job: job and target, where it is about a job.
        run: the id of the run that found it, whose report tells it.
    """

    kind: str
    severity: ConcernSeverity
    object: str
    sentence: str
    remedy: str
    since: datetime | None = None
    job: tuple[str, str] | None = None
    run: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(self.kind)


def gravest_first(concerns: Iterable[Concern]) -> list[Concern]:
    """Return the concerns by severity; among equals in the order in which they came."""
    return sorted(concerns, key=lambda each: GRAVEST_FIRST.index(each.severity))


def need_attention(concerns: Iterable[Concern]) -> list[Concern]:
    """Return those that a person has to act on."""
    return [each for each in concerns if each.severity != "info"]
