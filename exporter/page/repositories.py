"""The cards of one repository: what is in it, its last archive, its sources, and what was proven of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bkp.jobs import JOBS, Kind
from bkp.quantities import format_size
from bkp.state.archives import doubt
from bkp.state.descriptions import describe_archive
from bkp.status import Status
from bkp.words import some
from exporter.page.escrow import of_repository
from exporter.page.jobs import UNUSED
from exporter.page.parts import Bar, Row, bar_of, length, moment_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bkp.holdings import Holding
    from bkp.past import Drilled
    from exporter.model import Model
    from exporter.page.jobs import JobCard


@dataclass(frozen=True)
class RepositoryCard:
    """One repository: its sizes, its last archive, its sources and what was proven of it."""

    name: str
    path: str
    jobs: tuple[JobCard, ...]
    rows: tuple[Row, ...]
    archive: tuple[Row, ...]
    proofs: tuple[Row, ...]
    sources: tuple[Row, ...]
    bars: tuple[Bar, ...]


def repository_card(model: Model, repository: Holding, cards: Iterable[JobCard]) -> RepositoryCard:
    """Return the cards of a repository, with those of its jobs."""
    own = tuple(card for card in cards if card.target == repository.name and is_of_repository(card))
    # Before the first run of any job there is nothing graver than the statuses beside it.
    never = "warn" if all(card.status in {Status.NEVER, UNUSED} for card in own) else "bad"
    return RepositoryCard(
        name=repository.name,
        path=model.config.config.repositories[repository.name].path,
        jobs=own,
        rows=tuple(_contents(model, repository)),
        archive=tuple(_archive_rows(model, repository)),
        proofs=tuple(_proofs(model, repository)),
        sources=tuple(
            Row(source.source, moment=moment_of(model.survey, source.last_complete_at))
            if source.last_complete_at is not None
            else Row(source.source, "never" if source.known else "not known", tone=never if source.known else "warn")
            for source in repository.sources
        ),
        bars=tuple(_bars(model, repository)),
    )


def is_of_repository(card: JobCard) -> bool:
    """Return whether the job works on a repository. A pool may have the same name as one."""
    return JOBS[card.job].kind is Kind.REPOSITORY


def _contents(model: Model, repository: Holding) -> list[Row]:
    facts = repository.facts
    if facts is None:
        text = "not known: no run has described it yet" if model.survey.past_known else "not known"
        return [Row("contents", text, tone="warn")]
    found = []
    if facts.newest_archive_at is not None:
        found.append(Row("newest archive", moment=moment_of(model.survey, facts.newest_archive_at)))
    if facts.oldest_archive_at is not None:
        found.append(Row("oldest archive", moment=moment_of(model.survey, facts.oldest_archive_at)))
    if facts.archives is not None:
        extra = f", and {facts.incomplete_archives} set aside" if facts.incomplete_archives else ""
        found.append(Row("archives", f"{facts.archives}{extra}", tone="warn" if facts.incomplete_archives else ""))
    if repository.listed is not None and (gone := repository.listed.gone):
        found.append(Row("gone", some(list(gone)), tone="bad"))
    found.append(Row("encryption", facts.encryption))
    return found


def _archive_rows(model: Model, repository: Holding) -> list[Row]:
    archive = repository.archive
    if archive is None:
        return []
    why_not = doubt(archive)
    confirmed = Row("confirmed", "yes") if why_not is None else Row("confirmed", f"no: {why_not}", tone="bad")
    return [
        *(Row(line.label.lower(), line.text) for line in describe_archive(archive)),
        Row("made", moment=moment_of(model.survey, archive.started_at)),
        Row("took", length((archive.ended_at - archive.started_at).total_seconds())),
        confirmed,
    ]


def _proofs(model: Model, repository: Holding) -> list[Row]:
    found = []
    for check in repository.checks:
        label = f"{JOBS[check.job].verdict} ({check.job})"
        if check.verdict is None:
            found.append(Row(label, "no verdict yet" if model.survey.past_known else "not known", tone="warn"))
        else:
            passed = check.verdict.passed
            moment = moment_of(model.survey, check.verdict.ended_at)
            found.append(Row(label, "passed" if passed else "failed", moment, tone="good" if passed else "bad"))
    return [*found, _drill_row(model, repository.drilled), *of_repository(model, repository.name)]


def _drill_row(model: Model, drilled: Drilled | None) -> Row:
    if drilled is None:
        return Row("restore drill", "no file restored yet" if model.survey.past_known else "not known", tone="warn")
    result = drilled.result
    wrong = [f"{count} {word}" for count, word in ((result.mismatched, "differ"), (result.missing, "missing")) if count]
    text = f"{result.matched} of {result.files} files identical" + (f" ({', '.join(wrong)})" if wrong else "")
    return Row(
        "restore drill", text, moment_of(model.survey, drilled.ended_at), tone="good" if result.is_good else "bad"
    )


def _bars(model: Model, repository: Holding) -> list[Bar]:
    facts = repository.facts
    if facts is None:
        return []
    bars = []
    original, on_disk = facts.original_bytes, facts.deduplicated_bytes
    # Where borg's own bookkeeping outweighs what it holds, there is nothing that a share would tell.
    if original is not None and on_disk is not None and on_disk < original:
        text = f"{format_size(on_disk)} hold {format_size(original)} of archives"
        bars.append(bar_of("on disk", on_disk / original, text, "plain"))
    if facts.free_bytes is not None and facts.size_bytes:
        free, limits = facts.free_bytes / facts.size_bytes, model.config.config.repositories[repository.name]
        text = f"{format_size(facts.free_bytes)} free of {format_size(facts.size_bytes)}"
        tone = "bad" if free < limits.free_critical else "warn" if free < limits.free_warning else "plain"
        bars.append(bar_of("file system", 1 - free, text, tone))
    return bars
