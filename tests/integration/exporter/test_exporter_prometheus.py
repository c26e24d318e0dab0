"""A real Prometheus scrapes the real exporter and answers questions about it."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import urllib.parse
from typing import TYPE_CHECKING, Any

import pytest

from bkp.clock import utc_now
from tests.integration.exporter.conftest import Server, running
from tests.support.exporter_world import World, every_status
from tests.support.exposition import text_series
from tests.support.http import get, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIG = """\
global:
  scrape_interval: 1s
  scrape_timeout: 1s
scrape_configs:
  - job_name: bkp
    static_configs:
      - targets: ["{target}"]
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Prometheus:
    """A running server, asked through its HTTP interface."""

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, expression: str) -> list[dict[str, Any]]:
        answer = get(f"{self.url}/api/v1/query?{urllib.parse.urlencode({'query': expression})}")
        assert answer.status == 200, answer.body
        found: list[dict[str, Any]] = json.loads(answer.body)["data"]["result"]
        return found


@contextlib.contextmanager
def prometheus(folder: Path, target: str) -> Iterator[Prometheus]:
    config = folder / "prometheus.yml"
    config.write_text(CONFIG.format(target=target), encoding="utf-8")
    subprocess.run(["promtool", "check", "config", str(config)], check=True, capture_output=True)
    port = free_port()
    log = folder / "prometheus.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=warn",
            ],
            stdout=output,
            stderr=output,
        )
    try:
        wait_until(lambda: process.poll() is not None or get(f"http://127.0.0.1:{port}/-/ready").status == 200)
        assert process.poll() is None, log.read_text(encoding="utf-8")
        yield Prometheus(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait()


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
