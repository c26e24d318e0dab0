"""Whether a record of a run is evidence: the history must tell of it, and say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.past import digest
from bkp.state.fields import Outcome
from bkp.state.store import value_of

if TYPE_CHECKING:
    from bkp.past import Past
    from bkp.state.records import Ended, Run
    from bkp.state.store import JobState


def record_doubt(run: Run, state: JobState, past: Past, *, alive: bool, as_success: bool) -> str | None:
    """Return why a record is no evidence: another one lies in its place, or the history says something else.

    `past` is the history's alone; `alive`: the last attempt runs, and its process lives. A run that ended after all
    that the history knows may not have been written there: `Survey.history_problem` says so, and it is not doubted.
    """
    key = (state.job, state.target)
    if (run.job, run.target) != key:
        return f"is the record of {run.job} on {run.target}"
    if as_success and not run.outcome.is_good:
        return f"is no success: it ended in {run.outcome}"
    line = past.run_ids.get(run.run_id)
    if line is None and run.outcome is Outcome.RUNNING:
        hides = _hides(run.before, past.ends.get(key))
        return "says something else of the run before it than the history" if hides else None
    if line is None:
        known = run.ended_at is None or past.until_last is None or run.ended_at > past.until_last
        return None if known else "is of a run that the history does not know, and the history goes on after it"
    if run.outcome is Outcome.RUNNING:  # for a moment the line is there before the record has its end
        return None if alive else "says that the run goes on, and the history has its end"
    if line != digest(run):
        return "says something else than the history's line of that run"
    newest = (past.successes if as_success else past.attempts).get(key)
    latest = value_of(state.latest)
    ending = as_success and alive and latest is not None and newest == latest.run_id  # its line comes first
    return None if newest == run.run_id or ending else "is older than what the history tells of"


def _hides(before: Ended | None, told: Ended | None) -> bool:
    """Return whether a run that goes on leaves out the trouble in which the last one ended, as the history tells."""
    if told is None or not told.outcome.is_trouble:
        return False
    return before is None or (not before.outcome.is_trouble and before.ended_at <= told.ended_at)
