"""One run, in a few lines, for the person or the journal that called it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.quantities import format_duration
from bkp.state.descriptions import describe
from bkp.state.fields import Outcome
from runner.views.terminal import coloured

if TYPE_CHECKING:
    from bkp.state.records import Run


def summary(run: Run) -> str:
    """Return the end of a run: how it ended and why, and what it found or made."""
    took = f" in {format_duration(run.ended_at - run.started_at)}" if run.ended_at else ""
    outcome = coloured(run.outcome, run.outcome)
    lines = [f"{run.job} of {run.target}: {outcome}{took}" + (f" – {run.reason}" if run.reason else "")]
    lines += [f"  {line.label:<16} {line.text}" for line in describe(run.result)]
    if run.log and run.outcome is not Outcome.SUCCESS:
        lines.append(f"  {'Log':<16} {run.log}")
    return "\n".join(lines)
