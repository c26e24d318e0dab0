"""Concerns about what is recorded: the state directory, its files, and the history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.concerns.model import Concern
from bkp.pauses import doubt
from bkp.state.parked import is_parked
from bkp.state.reading import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from bkp.survey import Standing, Survey

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
                yield _unreadable(standing, reading)
        if (why := _bad_pause(standing, survey.now)) is not None:
            name = f"jobs/{standing.job}/{standing.target}/pause.json"
            yield Concern(
                "state_unreadable",
                "warning",
                name,
                f"the state file {name} {why}: it pauses nothing",
                f"`bkp-run resume {standing.job} --target {standing.target}` removes it",
                job=(standing.job, standing.target),
            )
    if survey.history_problem is not None:
        # What it hides may be the gravest of all: no verdict of the past is known any more.
        yield Concern(
            "history_broken",
            "critical",
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


def _bad_pause(standing: Standing, now: datetime) -> str | None:
    pause = standing.state.pause
    return pause.reason if isinstance(pause, Unreadable) else doubt(pause, standing.job, standing.target, now)


def _unreadable(standing: Standing, reading: Unreadable) -> Concern:
    name = f"jobs/{standing.job}/{standing.target}/{reading.path.name}"
    remedy = f"the next run of {standing.job} writes it anew; look for a disk that fails"
    if is_parked(reading.path):
        name = str(reading.path)
        remedy = "it is the end of a run that the state could not take: read that run's log, then move the file away"
    why = f"the state file {name} {reading.reason}"
    return Concern("state_unreadable", "warning", name, why, remedy, job=(standing.job, standing.target))
