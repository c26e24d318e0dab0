"""Start-up of each command: goal 0.15 s and 30 MiB."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.measure import cost, median, repeat, table
from benchmarks.site import bin_dir, write_site


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks startup", description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args(argv).runs
    programs = bin_dir()
    with tempfile.TemporaryDirectory() as folder:
        config = str(write_site(Path(folder), files=1).config)
        commands = [
            ["bkp-run", "--version"],
            ["bkp-run", "--help"],
            ["bkp-run", "--config", config, "config", "check"],
            ["bkp-run", "--config", config, "status"],
            ["bkp-exporter", "--version"],
            ["bkp-exporter", "--config", config, "--once"],
            ["bkp-audit", "--version"],
            ["bkp-audit", "rules", "list"],
            ["/usr/bin/borg", "--version"],
        ]
        rows = []
        for command in commands:
            path = command[0] if command[0].startswith("/") else str(programs / command[0])
            costs = repeat(runs, lambda path=path, rest=command[1:]: cost([path, *rest]))  # type: ignore[misc]
            shown = " ".join(command).replace(config, "FILE")
            rows.append(
                [
                    f"`{shown}`",
                    f"{median(costs, 'wall'):.3f}",
                    f"{median(costs, 'cpu'):.3f}",
                    f"{median(costs, 'peak'):.1f}",
                ]
            )
    table(f"Start-up, median of {runs} runs", ["command", "wall s", "CPU s", "peak MiB"], rows)
