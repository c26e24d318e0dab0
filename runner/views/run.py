"""One run, in a few lines, for the person or the journal that called it."""

from __future__ import annotations

from bkp.quantities import format_duration, format_size
from bkp.state.fields import Outcome
from bkp.state.records import Run
from runner.views.terminal import coloured


def summary(run: Run) -> str:
    """Return the end of a run in at most three lines."""
    took = f" in {format_duration(run.ended_at - run.started_at)}" if run.ended_at else ""
    outcome = coloured(run.outcome, run.outcome)
    lines = [f"{run.job} of {run.target}: {outcome}{took}" + (f" – {run.reason}" if run.reason else "")]
    if run.archive and run.outcome in {Outcome.SUCCESS, Outcome.WARNING}:
        archive, count = run.archive, run.repository.archives if run.repository else None
        kept = "" if count is None else f"; {count:,} archive{'s' if count != 1 else ''}"
        lines.append(
            f"  {archive.name}: {archive.files:,} files, {format_size(archive.original_bytes)}, "
            f"{format_size(archive.deduplicated_bytes)} new{kept}"
        )
    if run.drill:
        drill = run.drill
        amount = f"{format_size(drill.bytes)} in {drill.seconds:.1f}s"
        lines.append(f"  {drill.matched:,} of {drill.files:,} restored files equal ({amount})")
    if run.log and run.outcome is not Outcome.SUCCESS:
        lines.append(f"  log: {run.log}")
    return "\n".join(lines)
