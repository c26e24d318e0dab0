"""Facts of history.*, and whether the history is complete."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.facts.builder import FactBuilder
    from bkp.survey import Survey

SOURCE = "state: history.jsonl"


def collect_history(builder: FactBuilder, survey: Survey) -> None:
    """Add history.*: whether the chain holds and has the newest recorded run."""
    if (reason := _unreadable(survey)) is not None:
        builder.of("history").fail(SOURCE, reason)
        return
    chain, problem = survey.history.chain, survey.history_problem
    values = {"lines": chain.lines if chain else 0, "intact": problem is None, "problem": problem}
    builder.of("history").add(SOURCE, values)


def doubt(survey: Survey) -> str | None:
    """Return why the history may be incomplete; None if it is complete."""
    if (reason := _unreadable(survey)) is not None:
        return reason
    problem = survey.history_problem
    return f"the history of runs is not intact: {problem}" if problem else None


def _unreadable(survey: Survey) -> str | None:
    """Return why the file cannot be read; None if it can, or if there is none."""
    history = survey.history
    return f"{history.path.name} {history.problem}" if history.chain is None and history.problem else None
