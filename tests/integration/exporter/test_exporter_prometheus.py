"""A real Prometheus scrapes the real exporter and answers questions about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bkp.clock import utc_now
from tests.integration.exporter.conftest import Server, running
from tests.support.exporter_world import World, every_status
from tests.support.exposition import text_series
from tests.support.http import get, wait_until
from tests.support.prometheus import Prometheus, prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def scrape(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Prometheus]]:
    """An exporter with every status there is, and a Prometheus that scrapes it."""
    folder = tmp_path_factory.mktemp("prometheus")
    world = World(folder, ("main", "photos", "mirror"), now=utc_now())
    every_status(world)
    with running(world) as server, prometheus(folder, f"{server.host}:{server.port}") as asked:
        yield server, asked


def test_prometheus_stores_every_series_under_its_own_name_and_labels(scrape: tuple[Server, Prometheus]) -> None:
    server, asked = scrape
    wait_until(lambda: asked.query('up{job="bkp"} == 1') and asked.query("bkp_exporter_build_info"))
    scraped = {
        (name, frozenset(item for item in labels if item[1]))  # an empty label is none to Prometheus
        for name, labels in text_series(get(f"{server.url}/metrics").body)
    }
    stored = {
        (
            row["metric"].pop("__name__"),
            frozenset(item for item in row["metric"].items() if item[0] not in {"job", "instance"}),
        )
        for row in asked.query('{__name__=~"bkp_.+"}')
    }
    assert stored == {key for key in scraped if key[0].startswith("bkp_")}
    assert not asked.query('{exported_job=~".+"}')
    assert not asked.query('{exported_instance=~".+"}')


def test_one_rule_finds_every_late_and_never_run_job_of_every_repository(scrape: tuple[Server, Prometheus]) -> None:
    server, asked = scrape
    rule = "time() > max by (job_name, target) (bkp_job_deadline_timestamp_seconds)"
    wait_until(lambda: asked.query(rule))
    scraped = text_series(get(f"{server.url}/metrics").body)
    expected = {
        (dict(labels)["job_name"], dict(labels)["target"])
        for (name, labels), value in scraped.items()
        if name == "bkp_job_deadline_timestamp_seconds" and value < utc_now().timestamp()
    }
    assert ("verify", "mirror") in expected  # it never ran: its deadline is 0
    assert {(row["metric"]["job_name"], row["metric"]["target"]) for row in asked.query(rule)} == expected
    joined = asked.query("bkp_job_status{status='never'} == 1 and on (job_name, target) bkp_job_info{schedule!=''}")
    assert {row["metric"]["job_name"] for row in joined} == {"verify"}
