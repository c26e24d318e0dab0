"""Concerns about what is recorded: the state directory, its files, and the history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.concerns.model import Concern
from bkp.state.reading import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bkp.survey import Survey

MOST_NAMED = 20


def concerns(survey: Survey) -> Iterator[Concern]:
    """Yield them."""
    if survey.presence.problem is not None:
        yield Concern(
            "state_missing",
            "critical",
            "the state directory",
            survey.presence.problem,
            "mount its file system, or run any job once on a new server",
        )
        return
    for standing in survey.standings:
        for reading in (standing.state.latest, standing.state.success):
            if isinstance(reading, Unreadable):
                yield Concern(
                    "state_unreadable",
                    "warning",
                    f"jobs/{standing.job}/{standing.target}/{reading.path.name}",
                    f"the state file jobs/{standing.job}/{standing.target}/{reading.path.name} {reading.reason}",
                    f"the next run of {standing.job} writes it anew; look for a disk that fails",
                    job=(standing.job, standing.target),
                )
    if survey.history_problem is not None:
        yield Concern(
            "history_broken",
            "warning",
            "the history",
            f"the history of runs does not hold: {survey.history_problem}",
            "`bkp-run history` names the line; keep the file, and find out who wrote to it",
        )
    for other in survey.others[:MOST_NAMED]:
        yield Concern(
            "records_unconfigured",
            "info",
            f"{other.job} on {other.target}",
            f"{other.job} on {other.target} has records, but is not in the configuration",
            "remove its folder from the state if it is not wanted any more",
        )
