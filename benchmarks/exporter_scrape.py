"""What a scrape costs at a given number of series, over a real socket, of the real bkp-exporter.

    python -m benchmarks exporter_scrape                    10,000 series
    python -m benchmarks exporter_scrape --series 500 --scrapes 2000

A configuration with enough repositories and a state directory of their records are made in a temporary folder. The
client reads each answer whole before it takes the time. CPU time and memory are the exporter's own, from /proc.
Goals: p99 5 ms and 1 ms CPU a scrape, 40 MiB, at 10,000 series.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import http.client
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import table
from bkp.clock import utc_now
from tests.support.exporter_world import World, archive, facts, make_run
from tests.support.records import a_night, steps

if TYPE_CHECKING:
    from collections.abc import Iterator

SERIES_OF_A_REPOSITORY = 240
_UNIT = Path(__file__).resolve().parents[1] / "systemd/bkp-exporter.service.j2"
STEPS = ("prepare", "create", "confirm", "sample", "prune", "compact")
OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


def make_world(folder: Path, repositories: int, nights: int) -> World:
    """Write a host with that many repositories, each with some nights behind it."""
    world = World(folder, tuple(f"repository-{number:03d}" for number in range(repositories)))
    now = utc_now()
    for target in world.repositories:
        for night in range(nights, 0, -1):
            start = now - timedelta(days=night - 1, hours=6)
            made = archive(start)
            world.record(
                make_run(
                    "nightly",
                    start,
                    target=target,
                    steps=steps(start, *STEPS),
                    result=a_night(made, facts(start)),
                    mail="not wanted",
                )
            )
        start = now - timedelta(hours=20)
        for job in ("check", "verify", "drill"):
            world.record(make_run(job, start, target=target, steps=steps(start, job), mail="not wanted"))
    return world


@contextlib.contextmanager
def exporter(config: Path) -> Iterator[tuple[int, str, int]]:
    """Start bkp-exporter with the environment of its unit; give its pid and address once it is ready."""
    command = [sys.executable, "-m", "exporter.cli", "--config", str(config), "--listen", "127.0.0.1:0"]
    of_unit = re.findall(r"(?m)^Environment=(\w+)=(\S+)$", _UNIT.read_text())
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **dict(of_unit)})
    try:
        assert process.stdout is not None
        match = re.search(r"//([^:]+):(\d+)/", process.stdout.readline())
        assert match is not None
        host, port = match[1], int(match[2])
        while ask(http.client.HTTPConnection(host, port), "/-/ready", {})[0] != 200:
            time.sleep(0.05)
        yield process.pid, host, port
    finally:
        process.terminate()
        process.wait()


def ask(connection: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid: int, field: str) -> float:
    match = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert match is not None
    return int(match[1]) / 1024


def measure(pid: int, host: str, port: int, headers: dict[str, str], scrapes: int, *, fresh: bool) -> list[float]:
    """Return median and 99th percentile in ms, and CPU ms a scrape."""
    connection = http.client.HTTPConnection(host, port)
    taken = []
    before = cpu_seconds(pid)
    for _ in range(scrapes):
        begun = time.perf_counter()
        if fresh:
            connection.close()
        status, body = ask(connection, "/metrics", headers)
        taken.append(time.perf_counter() - begun)
        assert status == 200
        assert body
    used = cpu_seconds(pid) - before
    connection.close()
    percentiles = statistics.quantiles(taken, n=100)
    return [statistics.median(taken) * 1000, percentiles[98] * 1000, max(taken) * 1000, used / scrapes * 1000]


def idle_share(pid: int, seconds: float) -> float:
    """Return the share of one CPU, in per cent, that the exporter takes while nobody asks."""
    before, begun = cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    return (cpu_seconds(pid) - before) / (time.monotonic() - begun) * 100


def main(argv: list[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks exporter_scrape")
    parser.add_argument("--series", type=int, default=10_000, help="at least so many series (10000)")
    parser.add_argument("--scrapes", type=int, default=3000, help="scrapes of each kind (3000)")
    parser.add_argument("--nights", type=int, default=5, help="nights in the history of each repository (5)")
    parser.add_argument("--idle", type=float, default=30, help="seconds to watch it idle (30)")
    options = parser.parse_args(argv)
    repositories = -(-options.series // SERIES_OF_A_REPOSITORY)
    packed = {"Accept": OPENMETRICS, "Accept-Encoding": "gzip"}
    kinds = {
        "OpenMetrics, gzip, connection kept": (packed, False),
        "OpenMetrics, gzip, connection new": (packed, True),
        "text, not compressed, connection kept": ({}, False),
    }
    with tempfile.TemporaryDirectory(prefix="bkp-bench-") as folder:
        world = make_world(Path(folder), repositories, options.nights)
        with exporter(world.config_path) as (pid, host, port):
            _, body = ask(http.client.HTTPConnection(host, port), "/metrics", packed)
            plain = gzip.decompress(body)
            series = sum(not line.startswith(b"#") for line in plain.splitlines())
            rows = []
            for name, (headers, fresh) in kinds.items():
                figures = measure(pid, host, port, headers, options.scrapes, fresh=fresh)
                rows.append([name, str(series), *(f"{figure:.2f}" for figure in figures)])
            table(
                f"A scrape of {series} series ({repositories} repositories; {len(plain):,} bytes, gzip {len(body):,})",
                ["scrape", "series", "p50 ms", "p99 ms", "max ms", "CPU ms"],
                rows,
            )
            table(
                "The exporter's process: a look at the files every 2 s, everything rendered every 15 s",
                ["series", "RSS MiB", "RSS MiB at most", "idle, % of one CPU"],
                [
                    [
                        str(series),
                        f"{memory_mib(pid, 'VmRSS'):.1f}",
                        f"{memory_mib(pid, 'VmHWM'):.1f}",
                        f"{idle_share(pid, options.idle):.2f}",
                    ]
                ],
            )
