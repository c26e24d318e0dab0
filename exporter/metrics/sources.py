"""When each source of each repository was last in a good archive."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bkp.jobs import NIGHTLY
from bkp.status import deadline
from exporter.metrics.metric import Labels, Metric, MetricSection, Table
from exporter.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from bkp.holdings import SourceFacts


class _Source(NamedTuple):
    facts: SourceFacts
    due: datetime | None


def _sources(model: Model) -> Iterator[tuple[Labels, _Source]]:
    night = model.config.config.job(NIGHTLY.name)
    for holding in model.holdings:
        for facts in holding.sources:
            if facts.known:
                due = deadline(night, facts.last_complete_at, model.survey.zone)
                yield (holding.name, facts.source), _Source(facts, due)


SECTION = MetricSection[Model](
    "sources",
    "Sources",
    "One for every source of every repository: a tree that drops out of the nightly archive shows here, even while the"
    " other trees are backed up.",
    Table[Model, _Source](
        ("repository", "source"),
        _sources,
        Metric(
            "bkp_source_last_complete_backup_timestamp_seconds",
            "Start of the newest archive that the repository has confirmed, that holds files, and that has every path"
            " of this source, even if it was set aside because another source was missing. 0: there never was one.",
            "result.archive.started_at of the newest night whose archive is confirmed, has files above 0, and has every"
            " root of the source as present",
            lambda source: source.facts.last_complete_at or 0,
            absent="no readable record has the source, and the history cannot be read whole",
        ),
        Metric(
            "bkp_source_deadline_timestamp_seconds",
            "Time after which a source that is in no newer archive counts as stale: first elapse of the nightly's"
            " schedule after that archive, plus grace.",
            "configuration: jobs.nightly.schedule and grace; result.archive.started_at",
            lambda source: source.due,
            absent="the nightly has no schedule, or the source was never backed up, or when it was is not known",
        ),
    ),
)
