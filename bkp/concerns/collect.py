"""All concerns of one survey. A part that cannot be computed is a concern itself and hides no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.concerns import jobs, repositories, state
from bkp.concerns.model import Concern, gravest_first

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bkp.config.model import Config
    from bkp.survey import Survey


def concerns_of(config: Config, survey: Survey, *, more: Iterable[Concern] = ()) -> list[Concern]:
    """Return everything that somebody has to look at, gravest first; `more` is what only the caller knows."""
    found = [*more, *state.concerns(survey)]
    if survey.presence.problem is None:  # else nothing is known of the rest, and the first concern says so
        found += [*jobs.concerns(survey), *repositories.concerns(config, survey)]
    return gravest_first(found)
