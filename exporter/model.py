"""What is known, as plain facts: a frozen snapshot made of one `Reading`. Pure; knows nothing of Prometheus or HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bkp.state.fields import Outcome
from bkp.state.reading import Missing, Readable, Unreadable
from bkp.state.records import Run
from bkp.state.results import Archive, RepositoryFacts
from bkp.state.store import ENDED_WELL
from bkp.status import JobStatus, Status, job_status
from exporter.history import NIGHTLY, VERDICTS, Digest, Drilled, History, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, tzinfo

    from bkp.config import Config
    from bkp.config.model import Job
    from bkp.state import reading as files
    from bkp.state.store import Presence
    from exporter.reading import ConfigReading, JobReading, Reading

CHECK_JOBS = ("check", "verify")


@dataclass(frozen=True)
class JobFacts:
    """One job on one target. `success_known` is False where a last success is or was recorded and cannot be read."""

    job: str
    target: str
    config: Job
    status: JobStatus
    latest: Run | None
    success: Run | None
    success_known: bool
    running_since: datetime | None


@dataclass(frozen=True)
class Repository:
    """One repository: what borg last said of it (`facts`, none older than `facts_at`) and its last archive."""

    name: str
    facts: RepositoryFacts | None
    facts_at: datetime | None
    archive: Archive | None


@dataclass(frozen=True)
class SourceFacts:
    """One source of one repository. `last_complete_at` None means never if `known`, else not known."""

    repository: str
    source: str
    last_complete_at: datetime | None
    known: bool


@dataclass(frozen=True)
class Check:
    """The last verdict of a check job; None where there is none."""

    repository: str
    job: str
    verdict: Verdict | None


@dataclass(frozen=True)
class Drill:
    """The last drill of a repository that compared files; None where there is none."""

    repository: str
    drilled: Drilled | None


@dataclass(frozen=True)
class StateFile:
    """One state file that is there: `problem` says why it cannot be used. `name` is relative to the state directory."""

    name: str
    problem: str | None
    written_at: datetime | None


@dataclass(frozen=True)
class Model:
    """Everything that the exporter publishes, at one moment (`now`, UTC).

    `past_known` says whether what no record and no line of the history tells of did not happen.
    """

    now: datetime
    zone: tzinfo
    host: str
    config: ConfigReading
    jobs: tuple[JobFacts, ...]
    repositories: tuple[Repository, ...]
    sources: tuple[SourceFacts, ...]
    checks: tuple[Check, ...]
    drills: tuple[Drill, ...]
    files: tuple[StateFile, ...]
    history: History
    unconfigured: tuple[tuple[str, str], ...]
    presence: Presence
    past_known: bool


def build_model(reading: Reading) -> Model:
    """Return what the reading says. A record that cannot be used leaves out what it alone would have said."""
    config = reading.config.config
    runs = tuple(_runs(reading.jobs))
    newest = _newest(reading, runs)
    recorded = any(not isinstance(found, Missing) for job in reading.jobs for found in _records(job))
    past_known = reading.presence.problem is None and _past_is_known(reading.history, recorded=recorded)
    jobs = tuple(_job(job, config, reading) for job in reading.jobs)
    by_target: dict[str, list[Run]] = {name: [] for name in config.repositories}
    for run in runs:
        by_target.setdefault(run.target, []).append(run)
    return Model(
        now=reading.now,
        zone=reading.zone,
        host=reading.host,
        config=reading.config,
        jobs=jobs,
        repositories=tuple(_repository(name, by_target[name]) for name in config.repositories),
        sources=tuple(_sources(config, newest, past_known=past_known)),
        checks=tuple(_check(job, newest, past_known=past_known) for job in jobs if job.job in CHECK_JOBS),
        drills=tuple(Drill(name, newest.drills.get(name)) for name in config.repositories),
        files=tuple(_files(reading, recorded=recorded)),
        history=reading.history,
        unconfigured=tuple(sorted(set(reading.recorded) - {(job.job, job.target) for job in jobs})),
        presence=reading.presence,
        past_known=past_known,
    )


def _records(job: JobReading) -> tuple[files.Reading[Run], files.Reading[Run]]:
    return job.state.latest, job.state.success


def _runs(jobs: Iterable[JobReading]) -> Iterable[Run]:
    return (found.value for job in jobs for found in _records(job) if isinstance(found, Readable))


def _newest(reading: Reading, runs: Iterable[Run]) -> Digest:
    """Return the newest of each kind in the history and in the records: a crash can leave either behind the other."""
    past = reading.history.digest
    merged = Digest(dict(past.sources), dict(past.verdicts), dict(past.drills), set(past.succeeded))
    for run in runs:
        merged.add(run)
    return merged


def _past_is_known(history: History, *, recorded: bool) -> bool:
    """Return whether what is not in the history did not happen: every run's end is written there first."""
    if history.chain is not None:
        return history.problem is None and history.chain.problem is None
    return not history.exists and not recorded


def _job(job: JobReading, config: Config, reading: Reading) -> JobFacts:
    state = job.state
    latest = state.latest.value if isinstance(state.latest, Readable) else None
    success = state.success.value if isinstance(state.success, Readable) else None
    lost = isinstance(state.success, Missing) and (
        (latest is not None and latest.outcome in ENDED_WELL)
        or (state.job, state.target) in reading.history.digest.succeeded
    )
    running = latest is not None and latest.outcome is Outcome.RUNNING and job.alive is True
    settings = config.job(state.job)
    return JobFacts(
        job=state.job,
        target=state.target,
        config=settings,
        status=job_status(state, settings, reading.now, reading.zone, alive=job.alive),
        latest=latest,
        success=success,
        success_known=not lost and not isinstance(state.success, Unreadable),
        running_since=latest.started_at if latest is not None and running else None,
    )


def _repository(name: str, runs: list[Run]) -> Repository:
    own = sorted(runs, key=lambda run: run.started_at, reverse=True)
    facts, facts_at = _facts(own)
    archive = next((run.archive for run in own if run.job == NIGHTLY and run.archive is not None), None)
    return Repository(name, facts, facts_at, archive)


def _facts(runs: list[Run]) -> tuple[RepositoryFacts | None, datetime | None]:
    """Return the newest facts; what they leave open comes from older ones of the same repository id."""
    facts: RepositoryFacts | None = None
    facts_at: datetime | None = None
    for run in runs:
        if run.repository is None:
            continue
        if facts is None:
            facts, facts_at = run.repository, run.started_at
            continue
        if run.repository.id != facts.id:
            break
        open_fields: dict[str, Any] = {
            name: value
            for name, value in msgspec.structs.asdict(run.repository).items()
            if value is not None and getattr(facts, name) is None
        }
        if open_fields:
            facts, facts_at = msgspec.structs.replace(facts, **open_fields), run.started_at
    return facts, facts_at


def _sources(config: Config, newest: Digest, *, past_known: bool) -> Iterable[SourceFacts]:
    for name, repository in config.repositories.items():
        for source in repository.sources:
            found = newest.sources.get((name, source))
            yield SourceFacts(name, source, found, known=found is not None or past_known)


def _check(job: JobFacts, newest: Digest, *, past_known: bool) -> Check:
    """Return the last verdict, if it is sure that no later one is hidden by a file that cannot be read."""
    latest = job.latest
    sure = past_known or (latest is not None and latest.ended_at is not None and latest.outcome in VERDICTS)
    return Check(job.target, job.job, newest.verdicts.get((job.job, job.target)) if sure else None)


def _files(reading: Reading, *, recorded: bool) -> Iterable[StateFile]:
    if reading.presence.there is False:
        return
    root = Path(reading.config.config.paths.state)
    for job in reading.jobs:
        for found in _records(job):
            if isinstance(found, Readable):
                yield StateFile(str(found.path.relative_to(root)), None, found.written_at)
            elif isinstance(found, Unreadable):
                yield StateFile(str(found.path.relative_to(root)), found.reason, None)
    history = reading.history
    if history.exists:
        yield StateFile(history.path.name, history.problem, history.written_at)
    elif recorded:
        yield StateFile(history.path.name, "is gone, though runs are recorded", None)


def unhealthy(model: Model) -> tuple[JobFacts, ...]:
    """Return the jobs that somebody has to look at: neither ok nor running, nor for by hand and never asked for."""
    return tuple(job for job in model.jobs if not _well(job.status))


def _well(status: JobStatus) -> bool:
    by_hand = status.status is Status.NEVER and not status.scheduled
    return by_hand or status.status in {Status.OK, Status.RUNNING}
