"""A no-change nightly against a plain shell script of create, prune, compact, list on the same tree, in pairs.

Goal: at most 1.00 of the script's wall time. The best known runner took 1.47 on a tree of this kind.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from benchmarks.measure import Cost, cost, median, table
from benchmarks.site import Site, bin_dir, make_tree, write_site

_SCRIPT = """#!/bin/sh
set -e
name=backup-$(date -u +%Y%m%dT%H%M%S)-$$
borg create --compression lz4 --one-file-system "{repository}::$name" "{tree}"
borg prune --keep-daily 7 --keep-weekly 4 --keep-monthly 6 --glob-archives 'backup-*' "{repository}"
borg compact "{repository}"
borg list "{repository}"
"""


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks nightly", description=__doc__)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--mib", type=int, default=256, help="size of the one large file")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_tree(folder / "tree", arguments.files, arguments.mib << 20)
        raw = write_site(folder / "raw", files=0, tree=folder / "tree")
        ours = write_site(folder / "bkp", files=0, tree=folder / "tree")
        raws, ourses = _pairs(arguments.pairs, raw, ours, folder)
    rows = [
        [label, f"{median(costs, 'wall'):.3f}", f"{median(costs, 'cpu'):.3f}", f"{median(costs, 'peak'):.1f}"]
        for label, costs in (("shell script", raws), ("bkp-run nightly", ourses))
    ]
    for what in ("wall", "cpu"):
        ratios = sorted(getattr(b, what) / getattr(a, what) for a, b in zip(raws, ourses, strict=True))
        rows.append([f"ratio {what} (min, median, max)", *(f"{x:.3f}" for x in _spread(ratios))])
    title = f"No-change nightly, {arguments.files:,} files + {arguments.mib} MiB, {arguments.pairs} pairs, medians"
    table(title, ["", "wall s", "CPU s", "peak MiB"], rows)


def _spread(ratios: list[float]) -> tuple[float, float, float]:
    return ratios[0], statistics.median(ratios), ratios[-1]


def _pairs(count: int, raw: Site, ours: Site, folder: Path) -> tuple[list[Cost], list[Cost]]:
    script = folder / "raw.sh"
    script.write_text(_SCRIPT.format(repository=raw.repository, tree=raw.tree))
    program = str(bin_dir() / "bkp-run")
    clean = {key: value for key, value in ours.environment.items() if not key.startswith("BORG_")}

    def run_raw() -> Cost:
        return _expect(cost(["/bin/sh", str(script)], environment=raw.environment))

    def run_ours() -> Cost:
        return _expect(cost([program, "--config", str(ours.config), "nightly", "--quiet"], environment=clean))

    for _ in range(2):  # fill the caches and the repository
        run_raw()
        run_ours()
    raws, ourses = [], []
    for number in range(count):
        first, second = (run_raw, run_ours) if number % 2 == 0 else (run_ours, run_raw)
        a, b = first(), second()
        raws.append(a if number % 2 == 0 else b)
        ourses.append(b if number % 2 == 0 else a)
    return raws, ourses


def _expect(found: Cost) -> Cost:
    if found.code != 0:
        raise SystemExit(f"a measured run ended with {found.code}: its figures would mean nothing")
    return found
