"""What the exporter publishes: the survey of the state, and what it adds. Pure; knows nothing of Prometheus or HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bkp.jobs import JOBS
from bkp.state.archives import missing_sources
from bkp.state.reading import Readable, Unreadable
from bkp.state.results import Archive, DrillResult, NightlyResult, RepositoryFacts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from bkp.config import Config
    from bkp.past import Checked, Drilled
    from bkp.state.records import Run
    from bkp.survey import Survey
    from exporter.reading import LoadedConfig, Look


@dataclass(frozen=True)
class RepositoryView:
    """One repository: what borg last said of it (`facts`, none older than `facts_at`) and its last archive.

    `missing` are the sources that the last archive lacks; empty where there is no archive.
    """

    name: str
    facts: RepositoryFacts | None
    facts_at: datetime | None
    archive: Archive | None
    missing: tuple[str, ...]


@dataclass(frozen=True)
class SourceFacts:
    """One source of one repository. `last_complete_at` None means never if `known`, else not known."""

    repository: str
    source: str
    last_complete_at: datetime | None
    known: bool


@dataclass(frozen=True)
class StateFile:
    """One state file that is there: `problem` says why it cannot be used. `name` is relative to the state directory."""

    name: str
    problem: str | None
    written_at: datetime | None


@dataclass(frozen=True)
class Model:
    """Everything that the exporter publishes, at one moment (`survey.now`, UTC).

    `checks` has the last verdict of each job that judges its target, by target and job; `drills` the last drill of each
    repository that compared files. None: there is none, or a later one may be hidden.
    """

    host: str
    config: LoadedConfig
    survey: Survey
    repositories: tuple[RepositoryView, ...]
    sources: tuple[SourceFacts, ...]
    checks: Mapping[tuple[str, str], Checked | None]
    drills: Mapping[str, Drilled | None]
    files: tuple[StateFile, ...]


def build_model(look: Look) -> Model:
    """Return what the look says. A record that cannot be used leaves out what it alone would have said."""
    config, survey = look.config.config, look.survey
    return Model(
        host=look.host,
        config=look.config,
        survey=survey,
        repositories=tuple(_repositories(config, survey)),
        sources=tuple(_sources(config, survey)),
        checks=dict(_checks(survey)),
        drills=_drills(config, survey),
        files=tuple(_files(Path(config.paths.state), survey)),
    )


def _repositories(config: Config, survey: Survey) -> Iterator[RepositoryView]:
    nights: dict[str, list[tuple[Run, NightlyResult]]] = {}
    for standing in survey.standings:
        for run in (standing.latest, standing.success):
            if run is not None and isinstance(run.result, NightlyResult):
                nights.setdefault(run.target, []).append((run, run.result))
    for name, settings in config.repositories.items():
        own = sorted(nights.get(name, []), key=lambda night: night[0].started_at, reverse=True)
        facts, facts_at = _newest_facts(own)
        archive = own[0][1].archive if own else None
        missing = missing_sources(archive, settings.sources) if archive is not None else ()
        yield RepositoryView(name, facts, facts_at, archive, missing)


def _newest_facts(nights: list[tuple[Run, NightlyResult]]) -> tuple[RepositoryFacts | None, datetime | None]:
    """Return the facts of the newest night; what they leave open comes from older ones of the same repository id."""
    facts: RepositoryFacts | None = None
    facts_at: datetime | None = None
    for run, result in nights:
        if facts is None:
            facts, facts_at = result.repository, run.started_at
            continue
        if result.repository.id != facts.id:
            break
        open_fields: dict[str, Any] = {
            name: value
            for name, value in msgspec.structs.asdict(result.repository).items()
            if value is not None and getattr(facts, name) is None
        }
        if open_fields:
            facts, facts_at = msgspec.structs.replace(facts, **open_fields), run.started_at
    return facts, facts_at


def _sources(config: Config, survey: Survey) -> Iterator[SourceFacts]:
    for name, repository in config.repositories.items():
        for source in repository.sources:
            found = survey.past.sources.get((name, source))
            yield SourceFacts(name, source, found, known=found is not None or survey.past_known)


def _checks(survey: Survey) -> Iterator[tuple[tuple[str, str], Checked | None]]:
    for standing in survey.standings:
        if JOBS[standing.job].verdict:
            latest = standing.latest
            own = latest is not None and latest.ended_at is not None and latest.outcome.is_verdict
            verdict = survey.past.verdicts.get((standing.job, standing.target))
            yield (standing.target, standing.job), verdict if own or survey.past_known else None


def _drills(config: Config, survey: Survey) -> dict[str, Drilled | None]:
    latest = (standing.latest for standing in survey.standings)
    own = {run.target for run in latest if run is not None and run.ended_at and isinstance(run.result, DrillResult)}
    found = survey.past.drills
    return {name: found.get(name) if name in own or survey.past_known else None for name in config.repositories}


def _files(root: Path, survey: Survey) -> Iterator[StateFile]:
    if survey.presence.there is False:
        return
    for standing in survey.standings:
        for found in (standing.state.latest, standing.state.success):
            if isinstance(found, Readable):
                yield StateFile(str(found.path.relative_to(root)), None, found.written_at)
            elif isinstance(found, Unreadable):
                yield StateFile(str(found.path.relative_to(root)), found.reason, None)
    history = survey.history
    if history.exists:
        yield StateFile(history.path.name, history.problem, history.written_at)
    elif survey.recorded:
        yield StateFile(history.path.name, "is gone, though runs are recorded", None)
