"""One reading of the state for all three programs: how every configured job stands, and what the past comes to.

Everything is read once, records before the history: the line of a run is written before its record, so what a record
tells of has its line. Reading it twice would let two answers of one program disagree.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bkp import pauses
from bkp.attestations.file import read_attestations
from bkp.history import History, read_history
from bkp.jobs import JOBS
from bkp.mail.outbox import Outbox
from bkp.observations import Observations, read_observations
from bkp.own_names import of_this_host, own_names
from bkp.past import Past, begun_by, digest
from bkp.record_doubt import record_doubt
from bkp.state.audits import KeptReports
from bkp.state.fields import Outcome
from bkp.state.parked import with_parked
from bkp.state.reading import Missing, Unreadable
from bkp.state.store import value_of
from bkp.state.watch import read_watch
from bkp.status import JobStatus, Status, job_status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime, tzinfo

    from bkp.attestations.model import Attestations
    from bkp.clock import Clock
    from bkp.config.jobs import Job
    from bkp.config.model import Config
    from bkp.mail.outbox import Waiting
    from bkp.past import JobTarget
    from bkp.state.audits import Kept, KeptReport
    from bkp.state.observed import Observed
    from bkp.state.reading import Reading
    from bkp.state.records import Pause, Process, Run
    from bkp.state.store import JobState, Presence, StateStore
    from bkp.state.watch import WatchRecord

    IsAlive = Callable[[Process], bool | None]

T = TypeVar("T")


@dataclass(frozen=True)
class Standing:
    """How one job stands on one of its targets.

    `alive` says of a record that runs whether its process lives; None where that is not known. `success_known` is False
    where a last success is or was recorded and cannot be read, or is dated in the future. `clock_ahead`: a record of it
    lies in the future. `pause` is the one that holds now.
    """

    job: str
    target: str
    settings: Job
    state: JobState
    alive: bool | None
    status: JobStatus
    success_known: bool
    clock_ahead: bool = False
    pause: Pause | None = None

    @property
    def latest(self) -> Run | None:
        """Return the last attempt, if its record can be read."""
        return value_of(self.state.latest)

    @property
    def success(self) -> Run | None:
        """Return the last success, if its record can be read."""
        return value_of(self.state.success)

    @property
    def is_excused(self) -> bool:
        """Return whether it did not run in time, and is not to: it is paused. A run that failed is never excused."""
        if self.pause is None or self.status.status not in {Status.LATE, Status.NEVER}:
            return False
        end = self.latest.end if self.latest is not None else None
        return end is None or not end.outcome.is_trouble

    @property
    def running_since(self) -> datetime | None:
        """Return when the run began that is known to be under way; None if there is none."""
        latest = self.latest
        if latest is None or latest.outcome is not Outcome.RUNNING:
            return None
        return latest.started_at if self.alive or latest.outlives_process else None


@dataclass(frozen=True)
class Survey:
    """Everything that the state directory says at one moment (`now`, UTC).

    `others` are records of jobs and targets that the configuration does not name. `past` is what the history and all
    records come to. `contradicted` names the record of which the history says something else, if there is one.
    `audit_chain` is what is wrong with the chain of kept reports.
    """

    now: datetime
    zone: tzinfo
    presence: Presence
    standings: tuple[Standing, ...]
    others: tuple[JobState, ...]
    history: History
    past: Past
    observations: Observations
    attestations: Attestations
    audit: Reading[Kept[KeptReport]]
    outbox: Waiting
    watch: Reading[WatchRecord]
    contradicted: str | None = None
    audit_chain: str | None = None

    def records(self) -> Iterator[Run]:
        """Yield every record that can be read."""
        return (run for state in self._states for each in (state.latest, state.success) if (run := value_of(each)))

    @property
    def _states(self) -> tuple[JobState, ...]:
        return (*(each.state for each in self.standings), *self.others)

    @cached_property
    def recorded(self) -> bool:
        """Return whether any run is recorded that has ended, readable or not."""
        ended = any(run.ended_at is not None for run in self.records())
        return ended or any(isinstance(each, Unreadable) for s in self._states for each in (s.latest, s.success))

    @cached_property
    def history_problem(self) -> str | None:
        """Return why the history is not whole: broken, gone, or without the newest recorded run."""
        history = self.history
        if history.break_ is not None or history.problem is not None:
            return history.break_ or history.problem
        if self.recorded and (history.chain is None or not history.chain.lines):
            return "it is gone, though runs are recorded"
        ended = (run for run in self.records() if run.ended_at is not None)
        newest = max(ended, key=lambda run: run.ended_at or run.started_at, default=None)
        if newest is not None and newest.run_id not in history.past.run_ids:
            return f"it lacks the newest recorded run, {newest.job} on {newest.target}"
        if self.contradicted is not None:
            return f"its line of {self.contradicted} says something else than that run's record"
        return None

    @property
    def past_known(self) -> bool:
        """Return whether the past is complete: what neither a record nor the history tells of did not happen."""
        return self.presence.problem is None and self.history_problem is None


def configured(config: Config) -> Iterator[JobTarget]:
    """Yield every job on every target that the configuration names, in its order."""
    for job, _settings in config.jobs.items():  # noqa: PERF102  # a section of the file, not a dict
        for target in config.targets(job):
            yield job, target


def survey(
    config: Config,
    store: StateStore,
    clock: Clock,
    zone: tzinfo,
    is_alive: IsAlive,
    *,
    read_job: Callable[[str, str], JobState] | None = None,
    history: Callable[[], History] | None = None,
    observations: Callable[[], Observations] | None = None,
    audit: Callable[[], Reading[Kept[KeptReport]]] | None = None,
    audit_chain: Callable[[], str | None] | None = None,
) -> Survey:
    """Read the state. Never raises for anything that a file may hold.

    The clock is asked once all is read, so that no record lies in the future by being written meanwhile. `zone` is the
    host's, in which schedules are meant. `is_alive` answers for a process (`bkp.liveness`). `read_job`, `history`,
    `observations`, `audit` and `audit_chain` are for a caller that remembers what did not change.
    """
    read_job = read_job or store.read_job
    wanted = dict.fromkeys(configured(config))
    aside = Path(config.paths.lock)
    states = [with_parked(read_job(job, target), aside) for job, target in wanted]
    others = tuple(store.read_job(job, target) for job, target in store.recorded() if (job, target) not in wanted)
    known = history() if history is not None else read_history(store.ledger)
    contradicted = _contradicted((*states, *others), known.past)
    states = [_undoubted(state, known, is_alive) for state in states]
    records = [run for state in (*states, *others) for run in _newer_than_lines(state, known.past)]
    observed = observations() if observations is not None else read_observations(store.root)
    names = own_names(config, known.past)
    newest_audit = audit() if audit is not None else KeptReports(store.root).newest()
    chain = (audit_chain or KeptReports(store.root).problem)()
    watch = read_watch(config)
    now = clock()
    past = known.past.with_records(records).until(now)
    return Survey(
        now=now,
        zone=zone,
        presence=store.presence(),
        standings=tuple(
            _standing(_of_subject(state, past), config.job(state.job), past, now, zone, is_alive) for state in states
        ),
        others=others,
        history=known,
        past=past,
        observations=Observations(
            pools=of_this_host(observed.pools, _host_of, names),
            datasets=of_this_host(observed.datasets, _host_of, names),
            disks=of_this_host(observed.disks, _host_of, names),
            host=of_this_host(observed.host, _host_of, names),
        ),
        attestations=read_attestations(Path(config.attestations_path)).of_host(names),
        audit=of_this_host(newest_audit, lambda kept: kept.report.host, names),
        outbox=Outbox(store.root, aside).look(),
        watch=watch,
        contradicted=contradicted,
        audit_chain=chain,
    )


def _host_of(observed: Observed[T]) -> str:
    return observed.host


def _contradicted(states: Iterable[JobState], past: Past) -> str | None:
    """Return the first record that says something else than its line."""
    for state in states:
        for run in (value_of(state.latest), value_of(state.success)):
            line = past.run_ids.get(run.run_id) if run is not None else None
            if run is not None and line is not None and run.ended_at is not None and line != digest(run):
                return f"{run.job} on {run.target}"
    return None


def _undoubted(state: JobState, history: History, is_alive: IsAlive) -> JobState:
    """Return the records without those that the history belies: what anybody could rewrite is not evidence."""
    past = history.past
    told = (state.job, state.target) in past.attempts
    if told and isinstance(state.latest, Missing) and isinstance(state.success, Missing):
        return replace(state, latest=Unreadable(state.latest.path, "is gone, though the history tells of runs"))

    last = value_of(state.latest)
    alive = last is not None and last.outcome is Outcome.RUNNING and bool(is_alive(last.process))

    def judged(reading: Reading[Run], *, as_success: bool) -> Reading[Run]:
        run = value_of(reading)
        if run is None:
            return reading
        why = record_doubt(run, state, past, alive=alive, as_success=as_success)
        return reading if why is None else Unreadable(reading.path, why)

    latest, success = judged(state.latest, as_success=False), judged(state.success, as_success=True)
    same = latest is state.latest and success is state.success
    return state if same else replace(state, latest=latest, success=success)


def _newer_than_lines(state: JobState, past: Past) -> Iterator[Run]:
    """Yield the records; not a success without a line before a last attempt that has one: it is not the newer one."""
    latest, success = value_of(state.latest), value_of(state.success)
    if latest is not None:
        yield latest
    if success is not None and (success.run_id in past.run_ids or latest is None or latest.run_id not in past.run_ids):
        yield success


def _of_subject(state: JobState, past: Past) -> JobState:
    """Return the records without a success of another thing than the one that is there now."""
    success = value_of(state.success)
    spec = JOBS.get(state.job)
    there = past.subjects.get((spec.kind, state.target)) if spec else None
    if success is None or there is None or success.subject in {None, there}:
        return state
    reason = f"is about another {spec.kind} than the one that is there now" if spec else ""
    return replace(state, success=Unreadable(state.success.path, reason))


def _standing(state: JobState, settings: Job, past: Past, now: datetime, zone: tzinfo, is_alive: IsAlive) -> Standing:
    latest, success = value_of(state.latest), value_of(state.success)
    alive = is_alive(latest.process) if latest is not None and latest.outcome is Outcome.RUNNING else None
    lost = isinstance(state.success, Missing) and (state.job, state.target) in past.good_starts
    return Standing(
        job=state.job,
        target=state.target,
        settings=settings,
        state=state,
        alive=alive,
        status=job_status(state, settings, now, zone, alive=alive, before=begun_by(past, state.job, state.target, now)),
        success_known=not lost and not isinstance(state.success, Unreadable) and not _is_ahead(success, now),
        clock_ahead=_is_ahead(latest, now) or _is_ahead(success, now),
        pause=pauses.in_force(state.pause, state.job, state.target, now),
    )


def _is_ahead(run: Run | None, now: datetime) -> bool:
    return run is not None and max(run.started_at, run.ended_at or run.started_at) > now
