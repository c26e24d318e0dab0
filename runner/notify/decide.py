"""Whether a run is worth a mail. Every night's mail trains its reader not to look; a change of state does not."""

from __future__ import annotations

from typing import Literal

from bkp.state.fields import Outcome
from bkp.state.records import Run

_WELL = frozenset({Outcome.SUCCESS, Outcome.WARNING})


def wanted(run: Run, previous: Run | None, when: Literal["problems", "always", "never"]) -> bool:
    """Return whether `run` is to be mailed: problems are every warning and failure, and the first success after one."""
    if when != "problems":
        return when == "always"
    return run.outcome is not Outcome.SUCCESS or recovered(run, previous)


def recovered(run: Run, previous: Run | None) -> bool:
    """Return whether this run ended well after one that did not."""
    return run.outcome in _WELL and previous is not None and previous.outcome not in {*_WELL, Outcome.RUNNING}
