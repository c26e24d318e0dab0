"""All concerns of one survey. A part that cannot be computed is a concern itself and hides no other."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bkp.concerns import jobs, repositories, state
from bkp.concerns.model import Concern, gravest_first

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bkp.config.model import Config
    from bkp.survey import Survey


def concerns_of(config: Config, survey: Survey, *, more: Iterable[Concern] = ()) -> list[Concern]:
    """Return everything that somebody has to look at, gravest first; `more` is what only the caller knows."""
    parts: list[tuple[str, Callable[[], Iterable[Concern]]]] = [("the state", lambda: state.concerns(survey))]
    if survey.presence.problem is None:  # else nothing is known of the rest, and the first concern says so
        parts.append(("the jobs", lambda: jobs.concerns(survey)))
        parts += [
            (f"repository {name}", partial(repositories.concerns, config, survey, name)) for name in config.repositories
        ]
    return gravest_first([*more, *(concern for name, part in parts for concern in _guarded(name, part))])


def _guarded(name: str, part: Callable[[], Iterable[Concern]]) -> list[Concern]:
    try:
        return list(part())
    except Exception as exc:  # noqa: BLE001  # a defect in one part must not silence the others
        why = f"{name}: cannot be judged: this is a defect of bkp ({type(exc).__name__}: {exc})"
        return [Concern("internal_error", "critical", name, why, "report it with the state file that it comes from")]
