"""Turns a model into the bytes of both formats, plain and compressed.

`refresh` does this when a file has changed or time has passed. A scrape only hands out the bytes.
"""

from __future__ import annotations

import gzip
import platform
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from exporter.metrics import own
from exporter.metrics.registry import COLLECTORS, OWNERS
from exporter.once import Once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from exporter.metrics.metric import Sample
    from exporter.metrics.registry import Collect
    from exporter.model import Model

GZIP_LEVEL = 6  # level 9 takes three times as long and saves only a few per cent


class DuplicateSampleError(Exception):
    """A collector gave a series twice, or one of another section. Prometheus would refuse the whole scrape."""


@dataclass(frozen=True)
class Body:
    """One rendered format, plain and compressed."""

    content_type: str
    plain: bytes
    gzipped: bytes


@dataclass(frozen=True)
class Exposition:
    """Both formats, ready to be sent. `failed` names the collectors that failed."""

    text: Body
    openmetrics: Body
    series: int
    failed: tuple[str, ...]


TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Exposer:
    """Renders models. Remembers when each collector last succeeded."""

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
        self._once = Once()

    def expose(self, model: Model) -> Exposition:
        """Return the exposition of `model`. If a collector fails, only its own metrics are left out."""
        samples: list[Sample] = []
        collected = {}
        for name, collect in self._collectors.items():
            begun = self._stopwatch()
            found = self._run(name, collect, model)
            seconds = self._stopwatch() - begun
            if found is not None:
                samples += found
                self._last_success[name] = model.survey.now
            collected[name] = own.Collected(found is not None, seconds, self._last_success.get(name))
        samples += own.SECTION.collect(own.Own(*self._build, model.survey.now, collected))
        return self._render(samples, tuple(name for name, one in collected.items() if not one.succeeded))

    def _run(self, name: str, collect: Collect, model: Model) -> list[Sample] | None:
        """Return all samples of a collector, or None if it failed. Some of its samples would look like all of them."""
        try:
            found = list(collect(model))
            check_samples(name, found)
        except Exception as exc:  # noqa: BLE001  # whatever it is, it takes away this collector's metrics alone
            self._once.trouble(f"collector {name}", exc, "its metrics are left out")
            return None
        self._once.well(f"collector {name}")
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
    """Has the one method of a registry that the client library's renderers call.

    Makes the families one after the other: those of ten thousand series take much memory if they are there at once.
    """

    def __init__(self, samples: Iterable[Sample], more: Iterable[Family]) -> None:
        self._more = more
        self._by_metric: dict[str, list[Sample]] = {name: [] for name in OWNERS}
        for sample in samples:
            self._by_metric[sample.metric.name].append(sample)

    def collect(self) -> Iterator[Family]:
        """Yield the families that have samples, in the order of the sections."""
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


def check_samples(collector: str, samples: Iterable[Sample]) -> None:
    """Raise `DuplicateSampleError` if a series is there twice, belongs to another section, or lacks a label."""
    seen: set[tuple[str, tuple[str, ...]]] = set()
    for metric, labels, _ in samples:
        key = (metric.name, labels)
        if key in seen or OWNERS.get(metric.name) != collector or len(labels) != len(metric.labels):
            raise DuplicateSampleError(f"{metric.name}{labels!r} from collector {collector}")
        seen.add(key)


def _body(content_type: str, plain: bytes) -> Body:
    return Body(content_type, plain, gzip.compress(plain, GZIP_LEVEL, mtime=0))
