"""All sections, in the order of the exposition and of `docs/metrics.md`.

The label of a bkp job is `job_name`, not `job`. Prometheus sets `job` on every series that it scrapes and would rename
ours to `exported_job`; rules that join on it would break.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.metrics import (
    archives,
    audit,
    checks,
    concerns,
    config,
    datasets,
    disks,
    drills,
    escrow,
    hardware_runs,
    history,
    host,
    jobs,
    mail,
    observations,
    own,
    pools,
    replications,
    repositories,
    sources,
    state,
    steps,
    vdevs,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from exporter.metrics.metric import Metric, MetricSection, Sample
    from exporter.model import Model

    Collect = Callable[[Model], Iterable[Sample]]

_OF_THE_MODEL: tuple[MetricSection[Model], ...] = (
    concerns.SECTION,
    jobs.SECTION,
    steps.SECTION,
    repositories.SECTION,
    archives.SECTION,
    sources.SECTION,
    checks.SECTION,
    drills.SECTION,
    replications.SECTION,
    escrow.SECTION,
    hardware_runs.SECTION,
    pools.SECTION,
    vdevs.SECTION,
    datasets.SECTION,
    disks.SECTION,
    host.SECTION,
    observations.SECTION,
    audit.SECTION,
    mail.SECTION,
    state.SECTION,
    history.SECTION,
    config.SECTION,
)

SECTIONS: tuple[MetricSection[Any], ...] = (*_OF_THE_MODEL, own.SECTION)
COLLECTORS: Mapping[str, Collect] = {section.name: section.collect for section in _OF_THE_MODEL}
CATALOGUE: Mapping[str, Metric[Any]] = {metric.name: metric for section in SECTIONS for metric in section.metrics}
OWNERS: Mapping[str, str] = {metric.name: section.name for section in SECTIONS for metric in section.metrics}
