"""What the history of runs comes to: one walk over it, and the newest of each thing that a later run may hide.

The latest record of a job says nothing of the check before the one that is under way; the history does.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import deque
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from bkp.jobs import JOBS, Kind
from bkp.state.archives import REMEMBERED, is_whole, sources_held
from bkp.state.files import encode_record
from bkp.state.ledger import fitting
from bkp.state.results import Archive, DrillResult, Listed, SyncResult

if TYPE_CHECKING:
    from datetime import datetime

    from bkp.state.records import Ended, MailNote, Run

MOST_TESTS = 20
MOST_STARTS = 40
JobTarget = tuple[str, str]
TargetSource = tuple[str, str]
MOST_KEYS = 50  # of one repository


@dataclass(frozen=True)
class Checked:
    """A run that came to a verdict: whether it was good, when it ended (UTC), and its id."""

    passed: bool
    ended_at: datetime
    run_id: str


@dataclass(frozen=True)
class Drilled:
    """A drill that compared files, when it ended (UTC), and its id."""

    result: DrillResult
    ended_at: datetime
    run_id: str


@dataclass(frozen=True)
class Synced:
    """The newest pull that has something to tell, and when it ended (UTC)."""

    result: SyncResult
    ended_at: datetime


@dataclass(frozen=True)
class KeySeen:
    """A key that runs found in a repository: id of the repository, fingerprint, first and last run (UTC)."""

    id: str
    fingerprint: str
    since: datetime
    until: datetime


@dataclass
class Past:
    """What past runs come to.

    Attributes:
        sources: start of the newest archive that holds all of a source, by target and source.
        verdicts: the newest verdict of each job on each target.
        drills: the newest drill of each target that compared files.
        synced: the newest pull of each replication that recorded anything.
        archives: the whole archives of nights that ended well, by target, oldest first, the last `REMEMBERED`; without
            their roots.
        mail: the newest line of a mail that tells what became of it.
        mailed: what became of the report of a run, by its id.
        tests: the newest test mails that left, oldest first.
        confirmed: the newest test mail that a person has confirmed.
        run_ids: every run that has a line in the history, and the digest of what that line says.
        subjects: the id of what is there now, by kind and name of the target.
        untrusted: sources whose newest archive is dated in the future.
        listed: what each repository listed when it was last asked, by target.
        made: the newest night of each repository that made an archive and has ended, however it did.
        attempts, successes: the id of the newest run, and of the newest that ended well, of each job on each target.
        good_starts: of each job and target that ever succeeded, when the newest good runs began, oldest first, the last
            `MOST_STARTS`.
        ends: how the newest run of each job on each target ended; of a deferred one, how the one before it did.
        begun: start of the earliest run there is, whatever became of it.
        until_last: the latest end of any run there is (UTC).
        hosts: the names of the hosts that ran them.
    """

    sources: dict[TargetSource, datetime] = field(default_factory=dict)
    verdicts: dict[JobTarget, Checked] = field(default_factory=dict)
    drills: dict[str, Drilled] = field(default_factory=dict)
    synced: dict[str, Synced] = field(default_factory=dict)
    archives: dict[str, deque[Archive]] = field(default_factory=dict)
    mail: MailNote | None = None
    mailed: dict[str, str] = field(default_factory=dict)
    tests: deque[MailNote] = field(default_factory=lambda: deque(maxlen=MOST_TESTS))
    confirmed: MailNote | None = None
    run_ids: dict[str, int] = field(default_factory=dict)
    subjects: dict[tuple[Kind, str], str] = field(default_factory=dict)
    untrusted: set[TargetSource] = field(default_factory=set)
    listed: dict[str, Listed] = field(default_factory=dict)
    made: dict[str, Run] = field(default_factory=dict)
    attempts: dict[JobTarget, str] = field(default_factory=dict)
    successes: dict[JobTarget, str] = field(default_factory=dict)
    good_starts: dict[JobTarget, tuple[datetime, ...]] = field(default_factory=dict)
    ends: dict[JobTarget, Ended] = field(default_factory=dict)
    keys: dict[str, tuple[KeySeen, ...]] = field(default_factory=dict)
    begun: datetime | None = None
    until_last: datetime | None = None
    hosts: set[str] = field(default_factory=set)

    def see(self, run: Run) -> None:
        """Take in a run of the history. They come in its order: the last is the newest, whatever its clock said."""
        self.run_ids[run.run_id] = digest(run)
        self.hosts.add(run.host)
        self.begun = min(self.begun or run.started_at, run.started_at)
        if run.outcome.is_good and run.archive is not None and is_whole(run.archive):
            slim = msgspec.structs.replace(run.archive, roots=(), left_out=())  # hundreds of them are kept in memory
            self.archives.setdefault(run.target, deque(maxlen=REMEMBERED)).append(slim)
        self._see_subject(run)
        self._see_key(run)
        if run.listed is not None:
            self.listed[run.target] = run.listed
        if run.archive is not None and run.ended_at is not None:
            self.made[run.target] = run
        key = (run.job, run.target)
        self.attempts[key] = run.run_id
        if run.end is not None:
            self.ends[key] = run.end
        if run.outcome.is_good:
            self.successes[key] = run.run_id
            self.good_starts[key] = (*self.good_starts.get(key, ())[1 - MOST_STARTS :], run.started_at)
        if (ended := run.ended_at) is None:
            return
        self.until_last = max(self.until_last or ended, ended)
        if run.outcome.is_verdict:
            self.verdicts[key] = Checked(run.outcome.is_good, ended, run.run_id)
        self._see_result(run, ended)
        if run.archive is not None:
            for source in sources_held(run.archive):  # even of a run that failed later on
                self.sources[run.target, source] = run.archive.started_at

    def _see_result(self, run: Run, ended: datetime) -> None:
        if isinstance(run.result, DrillResult):
            self.drills[run.target] = Drilled(run.result, ended, run.run_id)
        elif isinstance(run.result, SyncResult):
            self.synced[run.target] = Synced(run.result, ended)

    def _see_subject(self, run: Run) -> None:
        """Forget what was found of another thing than the one that is there now: evidence dies with its subject."""
        spec = JOBS.get(run.job)
        if run.subject is None or spec is None:
            return
        place = (spec.kind, run.target)
        before, self.subjects[place] = self.subjects.get(place), run.subject
        if before in {None, run.subject}:
            return
        of_place = {name for name, each in JOBS.items() if each.kind is spec.kind}
        self.verdicts = {key: each for key, each in self.verdicts.items() if not _is_of(key, of_place, run.target)}
        self.good_starts = {
            key: each for key, each in self.good_starts.items() if not _is_of(key, of_place, run.target)
        }
        if spec.kind is Kind.REPOSITORY:
            self.drills.pop(run.target, None)
            self.archives.pop(run.target, None)
            self.listed.pop(run.target, None)
            self.made.pop(run.target, None)
            self.sources = {key: moment for key, moment in self.sources.items() if key[0] != run.target}
        elif spec.kind is Kind.REPLICATION:
            self.synced.pop(run.target, None)

    def _see_key(self, run: Run) -> None:
        if run.key_fingerprint is None or run.subject is None:
            return
        seen = self.keys.get(run.target, ())
        if seen and (seen[-1].id, seen[-1].fingerprint) == (run.subject, run.key_fingerprint):
            found = (*seen[:-1], dataclasses.replace(seen[-1], until=run.started_at))
        else:
            found = (*seen, KeySeen(run.subject, run.key_fingerprint, run.started_at, run.started_at))
        self.keys[run.target] = found[-MOST_KEYS:]

    def see_mail(self, mail: MailNote) -> None:
        """Take in what became of a mail. A run's record says it, too, but is no evidence: anybody could rewrite it."""
        if mail.result == "confirmed":
            self.confirmed = mail
            return
        self.mail = mail
        if mail.run_id is not None:
            self.mailed[mail.run_id] = mail.result
        if mail.code_hash is not None:
            self.tests.append(mail)

    def with_records(self, records: list[Run]) -> Past:
        """Return what the history and these records come to. A record without a line is newer than all lines."""
        merged = dataclasses.replace(self, **{name: copy(value) for name, value in vars(self).items()})
        for run in sorted(records, key=lambda each: each.ended_at or each.started_at):
            if run.run_id not in self.run_ids:
                archives = merged.archives.get(run.target)
                merged.archives[run.target] = deque(archives or (), maxlen=REMEMBERED)
                merged.see(run)
        return merged

    def until(self, now: datetime) -> Past:
        """Return the same without what lies in the future: a clock that was ahead vouches for nothing.

        A verdict against the target stands, as of now: to doubt the clock is no reason to doubt the damage.
        """
        future = {key for key, moment in self.sources.items() if moment > now}
        verdicts = {
            key: each if each.ended_at <= now else dataclasses.replace(each, passed=False, ended_at=now)
            for key, each in self.verdicts.items()
            if each.ended_at <= now or not each.passed
        }
        drills = {
            target: each if each.ended_at <= now else dataclasses.replace(each, ended_at=now)
            for target, each in self.drills.items()
            if each.ended_at <= now or not each.result.is_good
        }
        return dataclasses.replace(
            self,
            sources={key: moment for key, moment in self.sources.items() if key not in future},
            verdicts=verdicts,
            drills=drills,
            mail=self.mail if self.mail is None or self.mail.at <= now else None,
            confirmed=self.confirmed if self.confirmed is None or self.confirmed.at <= now else None,
            untrusted=future,
        )


def begun_by(past: Past, job: str, target: str, now: datetime) -> datetime | None:
    """Return when the newest run began that ended well and is not dated in the future; None if none is known."""
    return next((each for each in reversed(past.good_starts.get((job, target), ())) if each <= now), None)


def _is_of(key: JobTarget, jobs: set[str], target: str) -> bool:
    return key[0] in jobs and key[1] == target


def digest(run: Run) -> int:
    """Return what tells whether two records of one run say the same, all but what became of its mail."""
    content = encode_record(fitting(msgspec.structs.replace(run, mail=None)))
    return int.from_bytes(hashlib.sha256(content).digest()[:8])
