"""What importing each runtime dependency costs on top of a bare interpreter: the table of docs/design.md."""

from __future__ import annotations

import argparse
import subprocess
import sys

from benchmarks.measure import table

IMPORTS = {
    "click": "import click",
    "PyYAML": "import yaml",
    "msgspec": "import msgspec",
    "Jinja2": "import jinja2",
    "prometheus-client": "import prometheus_client",
    "zxcvbn": "import zxcvbn",
    "rich": "import rich.console, rich.progress, rich.table",
    "pySMART": "import pySMART",
}
_TELL = """
import time
with open("/proc/self/status") as status:
    peak = next(line.split()[1] for line in status if line.startswith("VmHWM:"))
print(time.process_time(), peak)
"""


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks imports", description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args(argv).runs
    bare_cpu, bare_peak = _least(runs, "pass")
    rows = [["(bare interpreter)", f"{bare_cpu * 1000:.0f}", f"{bare_peak:.1f}"]]
    for name, code in IMPORTS.items():
        cpu, peak = _least(runs, code)
        rows.append([name, f"{(cpu - bare_cpu) * 1000:.0f}", f"{peak - bare_peak:.1f}"])
    table(f"Imports, least of {runs} runs, the bare interpreter taken off", ["package", "CPU ms", "peak MiB"], rows)


def _least(runs: int, code: str) -> tuple[float, float]:
    """Return the least processor time and peak of a Python that runs `code`: other work on the machine only adds.

    It tells both itself: to wait4(2) its peak would never be less than that of this program, which started it.
    """
    told = [_once(code) for _ in range(runs)]
    return min(cpu for cpu, _ in told), min(peak for _, peak in told)


def _once(code: str) -> tuple[float, float]:
    done = subprocess.run([sys.executable, "-c", f"{code}\n{_TELL}"], check=True, capture_output=True, text=True)
    cpu, peak = done.stdout.split()
    return float(cpu), int(peak) / 1024
