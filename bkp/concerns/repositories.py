"""Concerns about repositories: what they hold, what was proven of them, and the room they have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.concerns.model import Concern
from bkp.holdings import holding_of
from bkp.jobs import JOBS, NIGHTLY
from bkp.listings import gone_remedy, gone_words
from bkp.quantities import format_duration, format_size
from bkp.state.archives import doubt, flaw, missing_sources
from bkp.status import Status, deadline
from bkp.words import some

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from bkp.concerns.model import ConcernSeverity
    from bkp.config.model import Config
    from bkp.holdings import Holding
    from bkp.survey import Survey


def concerns(config: Config, survey: Survey, name: str) -> Iterator[Concern]:
    """Yield those about one repository."""
    holding = holding_of(config, survey, name)
    yield from _archive(config, survey, holding)
    yield from _sources(config, survey, holding)
    yield from _proofs(survey, holding)
    yield from _room(config, holding)


def _archive(config: Config, survey: Survey, holding: Holding) -> Iterator[Concern]:
    facts, night = holding.facts, holding.judged
    if night is not None and (archive := night.archive) is not None:
        run = night.run_id
        missing = missing_sources(archive, config.repositories[holding.name].sources)
        wrong = f"lacks {', '.join(missing)}" if missing else flaw(archive)
        if wrong is not None:
            yield _about(
                holding,
                *("archive_flawed", "critical", f"the newest archive {archive.name} {wrong}"),
                "mount or correct the source, then run the nightly again",
                archive.started_at,
                run=run,
            )
        elif archive.size_suspicion is not None and not archive.size_accepted:
            yield _about(
                holding,
                *("archive_small", "warning", f"{archive.size_suspicion}: nothing is pruned"),
                "find out what is missing; if the size is right, run `bkp-run nightly --accept-size` once",
                archive.started_at,
                run=run,
            )
        elif (why := doubt(archive)) is not None:
            yield _about(
                holding,
                *("archive_unconfirmed", "warning", f"the newest archive {archive.name} is not proven: {why}"),
                "`bkp-run list` shows whether it is there; run the nightly again",
                archive.started_at,
                run=run,
            )
    newest = facts.newest_archive_at if facts is not None else None
    due = deadline(config.job(NIGHTLY.name), newest, survey.zone)
    if newest is not None and due is not None and due < survey.now and not _is_said_by_the_night(survey, holding, due):
        yield _about(
            holding,
            *("archive_old", "critical", f"its newest archive is {format_duration(survey.now - newest)} old"),
            "`bkp-run list` shows what is there; find out who removed the newer ones",
            due,
        )
    proven = night is not None and night.archive is not None and doubt(night.archive) is None
    if facts is not None and facts.archives == 0 and proven:
        yield _about(
            holding,
            *("archive_old", "critical", "a night ended well, and it lists no good archive"),
            "`bkp-run list` shows what is there; run the nightly again",
            holding.facts_at,
        )
    if holding.listed is not None and (gone := holding.listed.gone):
        yield _about(
            holding,
            *("archives_gone", "warning", f"{gone_words(gone)}: {some(list(gone))}"),
            gone_remedy(holding.name),
            min(each.since for each in gone.values()),
        )
    if facts is not None and facts.incomplete_archives:
        yield _about(
            holding,
            *("archives_incomplete", "info", f"{facts.incomplete_archives} archives were set aside"),
            "`bkp-run list` names them; later nights remove all but the last three",
        )


def _sources(config: Config, survey: Survey, holding: Holding) -> Iterator[Concern]:
    """A source that is in no good archive for too long, which the job itself does not tell."""
    for source in holding.sources:
        due = deadline(config.job(NIGHTLY.name), source.last_complete_at, survey.zone)
        if due is not None and due < survey.now and not _is_said_by_the_night(survey, holding, due):
            yield _about(
                holding,
                *("source_stale", "critical", f"source {source.source} is in no good archive since then"),
                "the record of the last night says why: `bkp-run history --json`",
                source.last_complete_at,
            )


def _proofs(survey: Survey, holding: Holding) -> Iterator[Concern]:
    failing = {
        (each.job, each.target)
        for each in survey.standings
        if each.status.status is Status.FAILED and each.latest and (end := each.latest.end) and end.outcome.is_verdict
    }
    for check in holding.checks:
        if check.verdict is not None and not check.verdict.passed and (check.job, holding.name) not in failing:
            yield _about(
                holding,
                *("check_failed", "critical", f"the last {check.job} ({JOBS[check.job].verdict}) failed"),
                "treat the repository as damaged: docs/recovery.md says what to do first",
                check.verdict.ended_at,
                run=check.verdict.run_id,
            )
    if holding.drilled is None:
        return
    result, ended, run = holding.drilled.result, holding.drilled.ended_at, holding.drilled.run_id
    if result.files == 0:
        yield _about(
            holding,
            *("drill_empty", "warning", "the last restore drill compared no file"),
            "run the nightly, which draws a new sample, then `bkp-run drill`",
            ended,
            run=run,
        )
    elif not result.is_good:
        wrong = f"{result.mismatched} files differ and {result.missing} are missing"
        yield _about(
            holding,
            *("drill_differs", "critical", f"in the last restore drill {wrong}, of {result.files}"),
            "treat the repository as damaged: run `bkp-run verify`, keep every older copy",
            ended,
            run=run,
        )


def _room(config: Config, holding: Holding) -> Iterator[Concern]:
    facts, limits = holding.facts, config.repositories[holding.name]
    if facts is None or facts.free_bytes is None or not facts.size_bytes:
        return
    share = facts.free_bytes / facts.size_bytes
    if share >= limits.free_warning:
        return
    severity: ConcernSeverity = "critical" if share < limits.free_critical else "warning"
    room = f"{format_size(facts.free_bytes)} of {format_size(facts.size_bytes)} are free ({share:.0%})"
    yield _about(
        holding,
        *("filesystem_full", severity, f"its file system is nearly full: {room}"),
        "make room or move it; reduce retention only if older archives are not needed",
        holding.facts_at,
    )


def _is_said_by_the_night(survey: Survey, holding: Holding, due: datetime) -> bool:
    """Return whether the nightly is late, never ran or is unknown, and that says all: nothing was due before it was."""
    for each in survey.standings:
        if each.target == holding.name and each.job == NIGHTLY.name:
            status, its = each.status.status, each.status.deadline
            return status in {Status.NEVER, Status.UNKNOWN} or (status is Status.LATE and (its is None or its <= due))
    return False


def _about(
    holding: Holding,
    kind: str,
    severity: ConcernSeverity,
    why: str,
    remedy: str,
    since: datetime | None = None,
    *,
    run: str | None = None,
) -> Concern:
    name = f"repository {holding.name}"
    return Concern(kind, severity, name, f"{name}: {why}", remedy, since, run=run)
