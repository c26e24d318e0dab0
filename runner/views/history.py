"""Recorded runs, and whether their chain holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bkp.quantities import format_duration
from runner.views.terminal import coloured

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from bkp.state.ledger import ChainReport
    from bkp.state.records import Run


def as_text(report: ChainReport, runs: Sequence[Run], zone: tzinfo) -> str:
    """Return one line a run, newest last, and one on the chain; times in the host's zone."""
    jobs, targets = (max((len(name) for name in names), default=0) for names in _columns(runs))
    lines = []
    for run in runs:
        when = run.started_at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z")
        took = format_duration(run.ended_at - run.started_at) if run.ended_at else "–"
        outcome = coloured(f"{run.outcome:<11}", run.outcome)
        why = f"\n    {run.reason}" if run.reason else ""
        lines.append(f"{when}  {run.job:<{jobs}}  {run.target:<{targets}}  {outcome}  {took:>7}{why}")
    state = "every line follows the one before" if report.intact else f"BROKEN: {report.problem or 'torn last line'}"
    return "\n".join([*lines, f"chain: {report.lines:,} lines, {state}"])


def _columns(runs: Sequence[Run]) -> tuple[list[str], list[str]]:
    return [run.job for run in runs], [run.target for run in runs]


def as_json(report: ChainReport, runs: Sequence[Run]) -> bytes:
    """Return the same as JSON."""
    chain = {"lines": report.lines, "intact": report.intact, "problem": report.problem, "torn_tail": report.torn_tail}
    return msgspec.json.encode({"chain": chain, "runs": runs})
