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
def prometheus(folder: Path, *targets: str, config: str | None = None) -> Iterator[Prometheus]:
    """Start a Prometheus that scrapes these targets, or has another configuration; end it."""
    path = folder / "prometheus.yml"
    path.write_text(config or CONFIG.format(targets=json.dumps(targets)), encoding="utf-8")
    subprocess.run(["promtool", "check", "config", str(path)], check=True, capture_output=True)
    port = free_port()
    with serving(
        folder / "prometheus.log",
        f"http://127.0.0.1:{port}",
        "prometheus",
        f"--config.file={path}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
        "--rules.alert.resend-delay=1s",  # the first one may come before it has found its Alertmanager
    ) as url:
        yield Prometheus(url)


@contextlib.contextmanager
def serving(log: Path, url: str, *command: str) -> Iterator[str]:
    """Run a server until it says that it is ready, and to the end of the context; yield its address."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        wait_until(lambda: process.poll() is not None or get(f"{url}/-/ready").status == 200)
        assert process.poll() is None, log.read_text(encoding="utf-8")
        yield url
    finally:
        process.terminate()
        process.wait()
