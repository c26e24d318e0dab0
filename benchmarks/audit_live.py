"""A live audit beside its slowest probe, each question to borg slowed down by 3 s: goal 1.2 times that probe.

Slow is what storage is: a disk that spins up, a share. The processor does nothing meanwhile, so that side by side shows
on any number of cores.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks.measure import cost, median, repeat, table
from benchmarks.site import bin_dir, write_site

GOAL = 1.2
SECONDS = 3


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks audit_live", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args(argv).runs
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        site = write_site(folder, files=100)
        slow = folder / "borg"
        slow.write_text(f'#!/bin/sh\nsleep {SECONDS}\nexec /usr/bin/borg "$@"\n')
        slow.chmod(0o755)
        site.config.write_text(site.config.read_text().replace("    base_dir", f"    borg: {slow}\n    base_dir"))
        report = folder / "report.json"
        command = [str(bin_dir() / "bkp-audit"), "--config", str(site.config), "-q", "--json", str(report)]
        probe = repeat(
            runs, lambda: cost([str(slow), "list", "--json", str(site.repository)], environment=site.environment)
        )
        audit = repeat(runs, lambda: cost(command))
        opened = next(each for each in json.loads(report.read_text())["results"] if each["id"] == "ENC-006")
        if opened["verdict"] != "pass":
            raise SystemExit(f"the audit did not reach the repository: {opened['reason']}")
    slowest, whole = median(probe, "wall"), median(audit, "wall")
    rows = [["borg list", f"{slowest:.3f}", ""], ["bkp-audit", f"{whole:.3f}", f"{whole / slowest:.3f}"]]
    table(f"A live audit, median of {runs} runs; goal {GOAL}", ["", "wall s", "times the probe"], rows)
