"""What each repository holds, and what was proven of it, as the survey of the state tells. Pure.

A proof counts only if it is sure that no later one is hidden by a history that is not whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from bkp.jobs import DRILL, JOBS, NIGHTLY
from bkp.past import Checked, Drilled
from bkp.state.archives import missing_sources
from bkp.state.results import Archive, DrillResult, Listed, NightlyResult, RepositoryFacts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from bkp.config.model import Config
    from bkp.state.records import Run
    from bkp.survey import Survey


@dataclass(frozen=True)
class SourceFacts:
    """One source of one repository. `last_complete_at` None means never if `known`, else not known."""

    source: str
    last_complete_at: datetime | None
    known: bool


@dataclass(frozen=True)
class Check:
    """The last verdict of a job that judges its target; None where there is none, or a later one may be hidden."""

    job: str
    verdict: Checked | None


@dataclass(frozen=True)
class Holding:
    """One repository: what borg last said of it (`facts`, none older than `facts_at`), its last archive, its proofs.

    `judged` is the newest night that made an archive and is not under way: to begin a night is not to mend. `missing`
    are the sources that the last archive lacks; empty where there is no archive. `drilled` is None where no drill has
    compared files, or a later one may be hidden. `listed` is what the repository listed when it was last asked; None
    where that is not known.
    """

    name: str
    facts: RepositoryFacts | None
    facts_at: datetime | None
    archive: Archive | None
    judged: Run | None
    missing: tuple[str, ...]
    sources: tuple[SourceFacts, ...]
    checks: tuple[Check, ...]
    drilled: Drilled | None
    listed: Listed | None = None


def holding_of(config: Config, survey: Survey, name: str) -> Holding:
    """Return what is known of one configured repository."""
    settings = config.repositories[name]
    nights = _nights(survey, name)
    facts, facts_at = _newest_facts(nights)
    archive = nights[0][1].archive if nights else None
    return Holding(
        name=name,
        facts=facts,
        facts_at=facts_at,
        archive=archive,
        judged=next((run for run, _ in nights if not _is_under_way(survey, run)), None),
        missing=missing_sources(archive, settings.sources) if archive is not None else (),
        sources=tuple(_source(survey, name, source) for source in settings.sources),
        checks=tuple(_checks(survey, name)),
        drilled=_drilled(survey, name),
        listed=survey.past.listed.get(name),
    )


def _nights(survey: Survey, name: str) -> list[tuple[Run, NightlyResult]]:
    """Return the nights of a repository that made an archive, newest first; none where a newer one may be hidden.

    The history tells of one that is in no record: the last attempt has another, or its record is no evidence.
    """
    own = [each for each in survey.standings if (each.job, each.target) == (NIGHTLY.name, name)]
    if any(standing.latest is None for standing in own) and not survey.past_known:
        return []
    # In the history's order, whatever their clocks said: the last attempt, then the newest night that made an archive.
    runs = [*(each.latest for each in own), survey.past.made.get(name), *(each.success for each in own)]
    found: dict[str, tuple[Run, NightlyResult]] = {}
    for run in runs:
        if run is not None and isinstance(run.result, NightlyResult):
            found.setdefault(run.run_id, (run, run.result))
    return list(found.values())


def _is_under_way(survey: Survey, run: Run) -> bool:
    return any(each.running_since and each.latest and each.latest.run_id == run.run_id for each in survey.standings)


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


def _source(survey: Survey, name: str, source: str) -> SourceFacts:
    found = survey.past.sources.get((name, source))
    sure = survey.past_known and (name, source) not in survey.past.untrusted
    return SourceFacts(source, found, known=found is not None or sure)


def _checks(survey: Survey, name: str) -> Iterator[Check]:
    for standing in survey.standings:
        if JOBS[standing.job].verdict and standing.target == name:
            latest, verdict = standing.latest, survey.past.verdicts.get((standing.job, name))
            if latest is not None and latest.ended_at is not None and latest.outcome.is_verdict:
                if latest.ended_at <= survey.now:  # else `Past.until` has judged what it is worth
                    verdict = Checked(latest.outcome.is_good, latest.ended_at, latest.run_id)
            elif not survey.past_known:
                verdict = None
            yield Check(standing.job, verdict)


def _drilled(survey: Survey, name: str) -> Drilled | None:
    drilled = survey.past.drills.get(name)
    latest = next((each.latest for each in survey.standings if (each.job, each.target) == (DRILL.name, name)), None)
    if latest is not None and latest.ended_at is not None and isinstance(latest.result, DrillResult):
        return Drilled(latest.result, latest.ended_at, latest.run_id) if latest.ended_at <= survey.now else drilled
    return drilled if survey.past_known else None
