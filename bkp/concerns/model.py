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
    "clock_ahead": "a record lies in the future: the clock was ahead when it was written, or is behind now",
    "job_late": "a job did not succeed before its deadline",
    "job_never": "a scheduled job has never run",
    "job_failed": "the last attempt of a job failed, and its deadline has not passed",
    "job_unknown": "how a job stands cannot be known",
    "job_warnings": "the last attempt of a job succeeded with warnings",
    "mail_failed": "the report of a run could not be mailed",
    "check_failed": "the last check of a target that came to a verdict found something wrong",
    "drill_differs": "the last restore drill did not get back what was backed up",
    "drill_empty": "the last restore drill compared no file, which proves nothing",
    "archive_flawed": "the newest archive lacks a source, or holds no file",
    "archive_unconfirmed": "the repository has not confirmed the newest archive",
    "archive_small": "the newest archive is suspiciously small",
    "archive_old": "the newest archive in the repository is older than the schedule allows",
    "archives_incomplete": "the repository holds archives that were set aside",
    "source_stale": "a source has been in no good archive for longer than the schedule allows",
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
    """

    kind: str
    severity: ConcernSeverity
    object: str
    sentence: str
    remedy: str
    since: datetime | None = None
    job: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(self.kind)


def gravest_first(concerns: Iterable[Concern]) -> list[Concern]:
    """Return the concerns by severity; among equals in the order in which they came."""
    return sorted(concerns, key=lambda each: GRAVEST_FIRST.index(each.severity))


def need_attention(concerns: Iterable[Concern]) -> list[Concern]:
    """Return those that a person has to act on."""
    return [each for each in concerns if each.severity != "info"]
