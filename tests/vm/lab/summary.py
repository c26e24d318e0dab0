"""What a lab run showed, as the table that docs/lab.md keeps of the last full one."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePath
from typing import TYPE_CHECKING

from .accel import accelerator
from .paths import CHECKOUT
from .workers import machine_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest


@dataclass
class _Row:
    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


def table(reports: Iterable[pytest.TestReport]) -> list[str]:
    """Return Markdown lines: for each module on each release how many tests passed or did not, and the minutes it took.

    Minutes are those of set-up, test and clean-up; what a prepared state took counts where it was first asked for.
    """
    rows: dict[tuple[str, str], _Row] = {}
    for report in reports:
        module, _, release = machine_of(report.nodeid).partition(" ")
        row = rows.setdefault((release, PurePath(module).name), _Row())
        row.seconds += report.duration
        if report.when == "call" or report.outcome != "passed":
            row.outcomes[report.outcome] += 1
    lines = ["| release | tests | result | minutes |", "| --- | --- | --- | --- |"]
    for (release, module), row in sorted(rows.items()):
        result = ", ".join(f"{count} {outcome}" for outcome, count in sorted(row.outcomes.items()))
        lines.append(f"| {release or '(none)'} | `{module}` | {result} | {row.seconds / 60:.1f} |")
    return lines


def circumstances(seconds: float, workers: int) -> str:
    """Return one line on when, of what and on how busy a host the run was."""
    host = f"{accelerator()}, {os.cpu_count()} cores, load {os.getloadavg()[2]:.1f} over the last 15 minutes"
    return f"{datetime.now(UTC):%Y-%m-%d}, {_commit()}, {seconds / 60:.0f} min with {workers} at a time ({host})"


def _commit() -> str:
    asked = ("git", "describe", "--always", "--dirty", "--exclude=*")
    done = subprocess.run(asked, cwd=CHECKOUT, capture_output=True, text=True)
    return f"commit {done.stdout.strip()}" if done.returncode == 0 else "no git checkout"
