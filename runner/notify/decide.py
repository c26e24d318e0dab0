"""Whether a run is worth a mail. Every night's mail trains its reader not to look; a change of state does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from bkp.state.fields import Outcome

if TYPE_CHECKING:
    from bkp.state.records import Run

_QUIET = frozenset({Outcome.SUCCESS, Outcome.DEFERRED})


def wanted(run: Run, when: Literal["problems", "always", "never"]) -> bool:
    """Return whether `run` is to be mailed: problems are every warning and failure, and the first success after one."""
    if when != "problems":
        return when == "always"
    return run.outcome not in _QUIET or recovered(run)


def recovered(run: Run) -> bool:
    """Return whether this run ended well after one that did not."""
    return run.outcome.is_good and run.before is not None and run.before.outcome.is_trouble
