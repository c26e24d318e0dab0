"""Each repository, as borg last described it to the runner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.holdings import Holding
from bkp.jobs import NIGHTLY
from bkp.state.results import RepositoryFacts
from bkp.status import deadline
from exporter.metrics.metric import Labels, Metric, MetricSection, Table, Value, label_text
from exporter.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

_ABSENT = "no readable record has the figure"


def _identity(repository: Holding) -> Value:
    facts = repository.facts
    return None if facts is None else (label_text(facts.id), label_text(facts.encryption))


def _deadlines(model: Model) -> Iterator[tuple[Labels, datetime | None]]:
    night = model.config.config.job(NIGHTLY.name)
    for each in model.holdings:
        newest = each.facts.newest_archive_at if each.facts is not None else None
        known = newest if newest is not None and newest <= model.survey.now else None
        yield (each.name,), deadline(night, known, model.survey.zone)


SECTION = MetricSection[Model](
    "repositories",
    "Repositories",
    "From the newest night whose record has the figure. The exporter itself never opens a repository.",
    Table[Model, Holding](
        ("repository",),
        lambda model: (((r.name,), r) for r in model.holdings),
        Metric(
            "bkp_repository_info",
            "The repository's Borg id and encryption mode, as borg last named them to the runner.",
            "result.repository.id, result.repository.encryption",
            _identity,
            labels=("id", "encryption"),
        ),
        Metric(
            "bkp_repository_facts_timestamp_seconds",
            "Start of the oldest run whose record contributes to this repository's figures: none of them is older.",
            "result.repository.* (started_at of its run)",
            lambda repository: repository.facts_at,
        ),
        Metric(
            "bkp_repository_gone_archives",
            "Archives that were recorded, are listed no more, and were given up by no prune of ours, when the"
            " repository was last asked; until somebody accepts that.",
            "result.listed.gone",
            lambda repository: None if repository.listed is None else len(repository.listed.gone),
            absent="no readable record says what the repository listed",
        ),
        absent=_ABSENT,
    ),
    Table[Model, RepositoryFacts](
        ("repository",),
        lambda model: (((r.name,), r.facts) for r in model.holdings if r.facts is not None),
        Metric(
            "bkp_repository_archives",
            "Archives with the configured archive_prefix, set-aside ones left out, as last written by the runner.",
            "result.repository.archives",
            lambda facts: facts.archives,
        ),
        Metric(
            "bkp_repository_incomplete_archives",
            "Archives set aside under a name that begins with unproven-, incomplete- or suspicious-, because they were"
            " not proven, lack a source or every file, or are too small, as last written by the runner.",
            "result.repository.incomplete_archives",
            lambda facts: facts.incomplete_archives,
        ),
        Metric(
            "bkp_repository_newest_archive_timestamp_seconds",
            "Start of the newest archive that bkp_repository_archives counts, as last written by the runner.",
            "result.repository.newest_archive_at",
            lambda facts: facts.newest_archive_at,
        ),
        Metric(
            "bkp_repository_oldest_archive_timestamp_seconds",
            "Start of the oldest archive that bkp_repository_archives counts, as last written by the runner.",
            "result.repository.oldest_archive_at",
            lambda facts: facts.oldest_archive_at,
        ),
        Metric(
            "bkp_repository_original_size_bytes",
            "Size of all archives as restored, as last written by the runner.",
            "result.repository.original_bytes",
            lambda facts: facts.original_bytes,
        ),
        Metric(
            "bkp_repository_compressed_size_bytes",
            "Size of all archives compressed, as last written by the runner.",
            "result.repository.compressed_bytes",
            lambda facts: facts.compressed_bytes,
        ),
        Metric(
            "bkp_repository_deduplicated_size_bytes",
            "Size of all archives compressed and deduplicated, which is what the repository takes on disk.",
            "result.repository.deduplicated_bytes",
            lambda facts: facts.deduplicated_bytes,
        ),
        Metric(
            "bkp_repository_chunks",
            "Chunks that all archives refer to, as last written by the runner.",
            "result.repository.chunks",
            lambda facts: facts.chunks,
        ),
        Metric(
            "bkp_repository_unique_chunks",
            "Different chunks in the repository, as last written by the runner.",
            "result.repository.unique_chunks",
            lambda facts: facts.unique_chunks,
        ),
        Metric(
            "bkp_repository_filesystem_free_bytes",
            "Free space of the file system that holds the repository, as last written by the runner.",
            "result.repository.free_bytes",
            lambda facts: facts.free_bytes,
        ),
        Metric(
            "bkp_repository_filesystem_size_bytes",
            "Size of the file system that holds the repository, as last written by the runner.",
            "result.repository.size_bytes",
            lambda facts: facts.size_bytes,
        ),
        absent=_ABSENT,
    ),
    Table[Model, "datetime | None"](
        ("repository",),
        _deadlines,
        Metric(
            "bkp_repository_newest_archive_deadline_timestamp_seconds",
            "Time after which the newest archive counts as too old: first elapse of the nightly's schedule after its"
            " start, plus grace.",
            "configuration: jobs.nightly.schedule and grace; result.repository.newest_archive_at",
            lambda due: due,
            absent=f"the nightly has no schedule, or {_ABSENT}",
        ),
    ),
)
