"""The one catalogue of metrics: the source of what is exported, of `docs/metrics.md` and of the naming test.

The label of a bkp job is `job_name`, not `job`: Prometheus sets `job` on every scraped series and would rename ours to
`exported_job`, which breaks every rule that joins on it.
"""

from __future__ import annotations

from exporter.catalogue import checks, config, jobs, repositories, self_metrics, sources, state
from exporter.catalogue.metric import Metric, Section

SECTIONS: tuple[Section, ...] = (
    jobs.SECTION,
    jobs.STEPS_SECTION,
    repositories.SECTION,
    repositories.ARCHIVE_SECTION,
    sources.SECTION,
    checks.SECTION,
    checks.DRILL_SECTION,
    state.SECTION,
    state.HISTORY_SECTION,
    config.SECTION,
    self_metrics.SECTION,
)

CATALOGUE: tuple[Metric, ...] = tuple(metric for section in SECTIONS for metric in section.metrics)

__all__ = ["CATALOGUE", "SECTIONS", "Metric", "Section"]
