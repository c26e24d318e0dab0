"""One look of the probe, and the exporter at what it wrote: by default 200 datasets with 100 snapshots, and 40 disks.

The exporter also has the records of a scrub, of a short and a long self-test of each disk, and of nights, as such a
server has after a month: 6,700 series and more.

    python -m benchmarks probe
    python -m benchmarks probe --disks 4 --datasets 20

The programs replay outputs, so what they do themselves costs next to nothing. "Beyond the programs" is what a look
takes more than starting the same programs, as many at once, and doing nothing with what they print. Goal: 60 MiB.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import os
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.exporter_scrape import OPENMETRICS, ask, exporter, idle_share, measure, memory_mib
from benchmarks.measure import Cost, cost, table
from benchmarks.probe_site import ProbeSite, environment, make_site, record_runs
from bkp.clock import utc_now
from exporter.reading import ConfigWatch
from exporter.service import make_refresher


def main(argv: list[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks probe", description=__doc__)
    parser.add_argument("--datasets", type=int, default=200)
    parser.add_argument("--snapshots", type=int, default=100, help="of each dataset (100)")
    parser.add_argument("--disks", type=int, default=40)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--scrapes", type=int, default=2000)
    parser.add_argument("--idle", type=float, default=30, help="seconds to watch the exporter idle (30)")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="bkp-bench-") as name:
        site = make_site(Path(name), options.datasets, options.snapshots, options.disks)
        what = f"{options.datasets} datasets with {options.snapshots} snapshots each, {options.disks} disks"
        rows = [
            _look(site, "all disks asked (once an hour)", ("--all",), options.runs),
            _look(site, "no disk asked (every 5 minutes)", (), options.runs),
        ]
        header = ["look", "programs started", "wall s", "wall s beyond them", "CPU s", "CPU s beyond them", "peak MiB"]
        table(f"A look of the probe: {what}; median of {options.runs} in pairs", header, rows)
        record_runs(site, options.disks)
        _exporter(site, options.scrapes, options.idle)


def _look(site: ProbeSite, label: str, words: tuple[str, ...], runs: int) -> list[str]:
    """Return one row. The look that is not counted comes first: after it no disk is due."""
    _expect(cost(site.probe("--all"), environment=environment()))
    site.take_calls()
    pairs, started = [], 0
    for _ in range(runs):
        alone = _plainly(site, all_disks=bool(words))
        plain = len(site.take_calls())
        pairs.append((_expect(cost(site.probe(*words), environment=environment())), alone))
        started = len(site.take_calls())
        if plain != started:
            raise SystemExit(f"the look started {started} programs and the plain call {plain}: no comparison")
    started += len(site.devices) if words else 0  # pySMART's readers: programs of our own, one for each disk
    figures = [
        statistics.median(figure)
        for figure in (
            [look.wall for look, _ in pairs],
            [look.wall - alone.wall for look, alone in pairs],
            [look.cpu for look, _ in pairs],
            [look.cpu - alone.cpu for look, alone in pairs],
        )
    ]
    return [label, str(started), *(f"{each:.3f}" for each in figures), f"{max(look.peak for look, _ in pairs):.1f}"]


def _plainly(site: ProbeSite, *, all_disks: bool) -> Cost:
    """Return what the programs of a look take alone."""
    begun, before = time.perf_counter(), os.times()
    site.ask_plainly(all_disks=all_disks)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(time.perf_counter() - begun, used, 0.0, 0)


def _expect(found: Cost) -> Cost:
    if found.code != 0:
        raise SystemExit(f"a look ended with {found.code}: its figures would mean nothing")
    return found


def _exporter(site: ProbeSite, scrapes: int, idle: float) -> None:
    packed = {"Accept": OPENMETRICS, "Accept-Encoding": "gzip"}
    wall, used = _refreshes(site)
    with exporter(site.config) as (pid, host, port):
        _, body = ask(http.client.HTTPConnection(host, port), "/metrics", packed)
        series = sum(not line.startswith(b"#") for line in gzip.decompress(body).splitlines())
        figures = measure(pid, host, port, packed, scrapes, fresh=False)
        row = [f"{memory_mib(pid, field):.1f}" for field in ("VmRSS", "VmHWM")]
        row.append(f"{idle_share(pid, idle):.2f}")
    header = ["series", "scrape p50 ms", "p99 ms", "max ms", "CPU ms a scrape", "refresh wall ms", "refresh CPU ms"]
    shown = [str(series), *(f"{each:.2f}" for each in figures), f"{wall * 1000:.0f}", f"{used * 1000:.0f}"]
    table("The exporter at what that look wrote: OpenMetrics, gzip, connection kept", header, [shown])
    table(
        "Its process: a look at the files every 2 s, everything rendered every 15 s",
        ["series", "RSS MiB", "RSS MiB at most", "idle, % of one CPU"],
        [[str(series), *row]],
    )


def _refreshes(site: ProbeSite, count: int = 9) -> tuple[float, float]:
    """Return the median wall and CPU seconds of reading and rendering everything, after new observations."""
    refresher = make_refresher(ConfigWatch(site.config, utc_now))
    refresher.make()
    walls, cpus = [], []
    for _ in range(count):
        for path in (site.folder / "state/observed").iterdir():
            path.write_bytes(path.read_bytes())  # as if the probe had looked: nothing that is remembered counts
        begun, before = time.perf_counter(), time.process_time()
        refresher.make()
        walls.append(time.perf_counter() - begun)
        cpus.append(time.process_time() - before)
    return statistics.median(walls), statistics.median(cpus)
