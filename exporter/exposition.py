"""Turns a model into the bytes of both formats, plain and compressed.

`refresh` does this when a file has changed or time has passed. A scrape only hands out the bytes.
"""

from __future__ import annotations

import gzip
import platform
import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

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
_GZIP = 31  # zlib's number for gzip's frame and the largest window
_EOF = b"# EOF\n"


class DuplicateSampleError(Exception):
    """A collector gave a series twice, or one of another section. Prometheus would refuse the whole scrape."""


@dataclass(frozen=True)
class Body:
    """One rendered format. `kept` is it not compressed, where somebody asks for that: a megabyte for 10,000 series."""

    content_type: str
    gzipped: bytes
    kept: bytes | None = None

    @property
    def plain(self) -> bytes:
        """Return it as it was before it was compressed."""
        return gzip.decompress(self.gzipped) if self.kept is None else self.kept


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
        growing = _Growing()
        collected = {}
        for name, collect in self._collectors.items():
            begun = self._stopwatch()
            found = self._run(name, collect, model)
            seconds = self._stopwatch() - begun
            if found is not None:
                growing.add(_families(found))
                self._last_success[name] = model.survey.now
            collected[name] = own.Collected(found is not None, seconds, self._last_success.get(name))
        growing.add(_families(own.SECTION.collect(own.Own(*self._build, model.survey.now, collected))))
        if self._process is not None:
            growing.add(self._process.collect())
        return growing.finished(tuple(name for name, one in collected.items() if not one.succeeded))

    def _run(self, name: str, collect: Collect, model: Model) -> list[Sample] | None:
        """Return all samples of a collector, or None if it failed. Some of its samples would look like all of them."""
        try:
            now = model.survey.now.timestamp()
            # What is dated in the future vouches for nothing: its concern says so.
            found = [each for each in collect(model) if not (each.metric.is_of_the_past and each.value > now)]
            check_samples(name, found)
        except Exception as exc:  # noqa: BLE001  # whatever it is, it takes away this collector's metrics alone
            self._once.trouble(f"collector {name}", exc, "its metrics are left out")
            return None
        self._once.well(f"collector {name}")
        return found


class _Growing:
    """Both formats, rendered section by section: all samples of ten thousand series at once would take much memory."""

    def __init__(self) -> None:
        self._text = _GrowingBody(TEXT_TYPE, generate_latest, keep_plain=True)
        # Prometheus asks for this one, and takes it compressed
        self._openmetrics = _GrowingBody(OPENMETRICS_TYPE, generate_openmetrics, keep_plain=False)
        self._series = 0

    def add(self, families: Iterable[Family]) -> None:
        """Render the families of one section."""
        for family in families:
            self._series += len(family.samples)
            self._text.add(family)
            self._openmetrics.add(family)

    def finished(self, failed: tuple[str, ...]) -> Exposition:
        """Return what has been rendered."""
        return Exposition(self._text.finished(b""), self._openmetrics.finished(_EOF), self._series, failed)


class _GrowingBody:
    """One format while it is rendered."""

    def __init__(self, content_type: str, render: Callable[[_One], bytes], *, keep_plain: bool) -> None:
        self._content_type = content_type
        self._render = render
        self._pieces: list[bytes] | None = [] if keep_plain else None
        self._packer = zlib.compressobj(GZIP_LEVEL, wbits=_GZIP)
        self._packed: list[bytes] = []

    def add(self, family: Family) -> None:
        """Render one family. The renderer of OpenMetrics ends each with the mark that stands after the last."""
        self._put(self._render(_One(family)).removesuffix(_EOF))

    def _put(self, piece: bytes) -> None:
        if self._pieces is not None:
            self._pieces.append(piece)
        self._packed.append(self._packer.compress(piece))

    def finished(self, end: bytes) -> Body:
        """Return it; without the time in gzip's frame, the same samples give the same bytes."""
        self._put(end)
        kept = None if self._pieces is None else b"".join(self._pieces)
        return Body(self._content_type, b"".join(self._packed) + self._packer.flush(), kept)


class _One(NamedTuple):
    """Has the one method of a registry that the client library's renderers call."""

    family: Family

    def collect(self) -> Iterator[Family]:
        """Yield the family."""
        yield self.family


def _families(samples: Iterable[Sample]) -> Iterator[Family]:
    """Yield the families of one section's samples, one after the other."""
    by_metric: dict[str, list[Sample]] = {}
    for sample in samples:
        by_metric.setdefault(sample.metric.name, []).append(sample)
    for name in OWNERS:  # in the order of the sections
        if name in by_metric:
            yield _family(by_metric[name])


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
