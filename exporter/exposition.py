"""From model to bytes: run the collectors, refuse duplicates, render each format once, compress once.

All of it happens when the state or the clock asks for it (`refresh`), never during a scrape.
"""

from __future__ import annotations

import gzip
import logging
import platform
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from exporter.catalogue import SECTIONS
from exporter.catalogue import self_metrics as m
from exporter.collectors.registry import COLLECTORS, Collect
from exporter.collectors.sample import Sample, when

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from exporter.model import Model

log = logging.getLogger("bkp-exporter")

GZIP_LEVEL = 6  # level 9 takes three times as long for a few per cent


class DuplicateSampleError(Exception):
    """A collector gave one series twice, or a metric that is not its own. Prometheus would refuse the whole scrape."""


@dataclass(frozen=True)
class Body:
    """One rendered format, plain and compressed."""

    content_type: str
    plain: bytes
    gzipped: bytes


@dataclass(frozen=True)
class Exposition:
    """Everything a scrape can ask for, ready to be sent. `failed` names the collectors that failed."""

    text: Body
    openmetrics: Body
    series: int
    failed: tuple[str, ...]


TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Exposer:
    """Renders models. Remembers one thing between two of them: when each collector last succeeded."""

    def __init__(
        self,
        version: str,
        *,
        collectors: Mapping[str, Collect] = COLLECTORS,
        stopwatch: Callable[[], float] = time.perf_counter,
        python: str | None = None,
        process_metrics: bool = True,
    ) -> None:
        self._build = (version, python or platform.python_version())
        self._collectors = collectors
        self._stopwatch = stopwatch
        self._process = ProcessCollector(registry=None) if process_metrics else None
        self._last_success: dict[str, datetime] = {}

    def expose(self, model: Model) -> Exposition:
        """Return the exposition of `model`. A collector that fails takes only its own metrics away, and says so."""
        samples: list[Sample] = []
        failed = []
        for name, collect in self._collectors.items():
            begun = self._stopwatch()
            found = self._run(name, collect, model)
            seconds = self._stopwatch() - begun
            if found is None:
                failed.append(name)
            else:
                samples += found
                self._last_success[name] = model.survey.now
            samples.append(Sample(m.COLLECTOR_SUCCESS, (name,), float(found is not None)))
            samples.append(Sample(m.COLLECTOR_DURATION, (name,), seconds))
            samples += when(m.COLLECTOR_LAST_SUCCESS, (name,), self._last_success.get(name))
        samples.append(Sample(m.BUILD_INFO, self._build, 1))
        samples.append(Sample(m.SNAPSHOT, (), model.survey.now.timestamp()))
        return self._render(samples, tuple(failed))

    def _run(self, name: str, collect: Collect, model: Model) -> list[Sample] | None:
        """Return the whole of a collector's samples or None: a part of them must not leak out."""
        try:
            found = list(collect(model))
            check_samples(name, found)
        except Exception:
            log.exception("collector %s failed; its metrics are left out", name)
            return None
        return found

    def _render(self, samples: list[Sample], failed: tuple[str, ...]) -> Exposition:
        own = list(self._process.collect()) if self._process is not None else []
        families = _Families(samples, own)
        openmetrics: bytes = generate_openmetrics(families)  # type: ignore[no-untyped-call]
        return Exposition(
            text=_body(TEXT_TYPE, generate_latest(families)),
            openmetrics=_body(OPENMETRICS_TYPE, openmetrics),
            series=len(samples) + sum(len(family.samples) for family in own),
            failed=failed,
        )


class _Families:
    """What the client library's renderers take for a registry. Makes each family when it is its turn.

    All at once, the families of ten thousand series would be the largest thing in the process.
    """

    def __init__(self, samples: Iterable[Sample], more: Iterable[Family]) -> None:
        self._more = more
        self._by_metric: dict[str, list[Sample]] = {name: [] for name in OWNERS}
        for sample in samples:
            self._by_metric[sample.metric.name].append(sample)

    def collect(self) -> Iterator[Family]:
        """Yield the families that have samples, in the order of the catalogue."""
        for samples in self._by_metric.values():
            if samples:
                yield _family(samples)
        yield from self._more


def _family(samples: list[Sample]) -> Family:
    metric = samples[0].metric
    family = Family(metric.family, metric.help, metric.kind, metric.unit or "")
    for _, labels, value in samples:
        family.add_sample(metric.name, dict(zip(metric.labels, labels, strict=True)), value)
    return family


OWNERS = {metric.name: section.collector for section in SECTIONS for metric in section.metrics}


def check_samples(collector: str, samples: Iterable[Sample]) -> None:
    """Raise `DuplicateSampleError` if a series is there twice, or is another collector's, or lacks a label."""
    seen: set[tuple[str, tuple[str, ...]]] = set()
    for metric, labels, _ in samples:
        key = (metric.name, labels)
        if key in seen or OWNERS.get(metric.name) != collector or len(labels) != len(metric.labels):
            raise DuplicateSampleError(f"{metric.name}{labels!r} from collector {collector}")
        seen.add(key)


def _body(content_type: str, plain: bytes) -> Body:
    return Body(content_type, plain, gzip.compress(plain, GZIP_LEVEL, mtime=0))
