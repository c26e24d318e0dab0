"""Whole processes, measured by the operating system's own accounting (wait4(2)), in pairs where two are compared."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class Cost:
    """What one run of a process and all its children took. Peak is the largest single process, in MiB."""

    wall: float
    cpu: float
    peak: float
    code: int


def cost(argv: Sequence[str], *, environment: dict[str, str] | None = None) -> Cost:
    """Run a program with its output thrown away, and return what it took."""
    started = time.perf_counter()
    process = subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode)


def repeat(runs: int, once: Callable[[], Cost]) -> list[Cost]:
    """Return the costs of `runs` runs after one that is not counted."""
    once()
    return [once() for _ in range(runs)]


def median(costs: Sequence[Cost], what: str) -> float:
    """Return the median of one figure."""
    return float(statistics.median(getattr(each, what) for each in costs))


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table that can be put into docs/performance.md as it stands."""
    print(f"\n{title}\n")
    print("| " + " | ".join(header) + " |")
    print("|" + "|".join(" --- " for _ in header) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(f"\nPython {sys.version.split()[0]}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
