"""A real Prometheus on loopback."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
      - targets: {targets}
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@dataclass
class Prometheus:
    """A running server, asked through its HTTP interface."""

    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        answer = get(f"{self.url}/api/v1/query?{urllib.parse.urlencode({'query': expression})}")
        assert answer.status == 200, answer.body
        found: list[dict[str, Any]] = json.loads(answer.body)["data"]["result"]
        return found

    def label_values(self, label: str, selector: str) -> list[str]:
        """Return what a variable of a dashboard offers."""
        question = urllib.parse.urlencode({"match[]": selector})
        answer = get(f"{self.url}/api/v1/label/{label}/values?{question}")
        assert answer.status == 200, answer.body
        found: list[str] = json.loads(answer.body)["data"]
        return found


@contextlib.contextmanager
def prometheus(folder: Path, *targets: str) -> Iterator[Prometheus]:
    """Start a Prometheus that scrapes these targets; end it."""
    path = folder / "prometheus.yml"
    path.write_text(CONFIG.format(targets=json.dumps(targets)), encoding="utf-8")
    subprocess.run(["promtool", "check", "config", str(path)], check=True, capture_output=True)
    port = free_port()
    log = folder / "prometheus.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={path}",
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
