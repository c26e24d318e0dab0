"""Collectors are kept apart: one that fails, or gives a series twice, takes nothing but itself away."""

import gzip
from collections.abc import Iterator
from datetime import timedelta

import pytest

from exporter.exposition import DuplicateSampleError, Exposer, check_samples
from exporter.metrics.metric import Sample
from exporter.metrics.registry import CATALOGUE, COLLECTORS
from exporter.model import Model
from tests.support.exporter_world import NOW, World, healthy
from tests.support.exposition import text_series

SUCCESS = "bkp_exporter_collector_success"
LAST = "bkp_exporter_collector_last_success_timestamp_seconds"


def breaks_half_way(model: Model) -> Iterator[Sample]:
    yield from list(COLLECTORS["checks"](model))[:1]
    raise RuntimeError("secret detail")


def says_it_twice(model: Model) -> Iterator[Sample]:
    yield from COLLECTORS["checks"](model)
    yield from COLLECTORS["checks"](model)


@pytest.mark.parametrize("broken", [breaks_half_way, says_it_twice])
def test_a_collector_that_fails_leaves_no_half_of_itself_and_all_of_the_others(world: World, broken: object) -> None:
    healthy(world)
    whole = text_series(Exposer("1", process_metrics=False).expose(world.model()).text.plain)
    exposer = Exposer("1", collectors={**COLLECTORS, "checks": broken}, process_metrics=False)  # type: ignore[dict-item]
    exposition = exposer.expose(world.model())
    found = text_series(exposition.text.plain)
    assert exposition.failed == ("checks",)
    assert not [name for name, _ in found if name.startswith("bkp_check_")]
    assert found[SUCCESS, frozenset({("collector", "checks")})] == 0
    assert found[SUCCESS, frozenset({("collector", "jobs")})] == 1
    assert (LAST, frozenset({("collector", "checks")})) not in found
    missing = {name for name, _ in whole.keys() - found.keys()}
    assert missing == {"bkp_check_passed", "bkp_check_finished_timestamp_seconds", LAST}
    assert b"secret detail" not in exposition.text.plain


def test_the_last_success_of_a_collector_stays_when_it_begins_to_fail(world: World) -> None:
    working = True

    def sometimes(model: Model) -> Iterator[Sample]:
        if not working:
            raise OSError
        yield from COLLECTORS["checks"](model)

    exposer = Exposer("1", collectors={"checks": sometimes}, process_metrics=False)
    exposer.expose(world.model())
    working = False
    world.now = NOW + timedelta(minutes=1)
    found = text_series(exposer.expose(world.model()).text.plain)
    assert found[SUCCESS, frozenset({("collector", "checks")})] == 0
    assert found[LAST, frozenset({("collector", "checks")})] == NOW.timestamp()


def test_a_series_that_is_there_twice_is_refused() -> None:
    sample = Sample(CATALOGUE["bkp_check_passed"], ("main", "check"), 1)
    check_samples("checks", [sample])
    with pytest.raises(DuplicateSampleError, match="bkp_check_passed"):
        check_samples("checks", [sample, sample._replace(value=0)])


def test_a_metric_of_another_collector_or_with_a_label_too_few_is_refused() -> None:
    with pytest.raises(DuplicateSampleError):
        check_samples("checks", [Sample(CATALOGUE["bkp_state_unreadable_files"], (), 1)])
    with pytest.raises(DuplicateSampleError):
        check_samples("checks", [Sample(CATALOGUE["bkp_check_passed"], ("main",), 1)])


def test_the_compressed_bodies_are_the_plain_ones(world: World) -> None:
    exposition = Exposer("1").expose(world.model())
    for body in (exposition.text, exposition.openmetrics):
        assert gzip.decompress(body.gzipped) == body.plain


def test_the_process_metrics_of_the_client_library_are_there(world: World) -> None:
    names = {name for name, _ in text_series(Exposer("1").expose(world.model()).text.plain)}
    assert {"process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"} <= names


def test_no_sample_carries_a_time_of_its_own(world: World) -> None:
    healthy(world)
    for line in Exposer("1").expose(world.model()).text.plain.decode().splitlines():
        if not line.startswith("#"):
            assert len(line.rpartition("}")[2].split()) == (1 if "}" in line else 2)
