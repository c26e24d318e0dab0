"""All concerns of one survey."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

from bkp.concerns import (
    agreement,
    audit,
    datasets,
    disks,
    escrow,
    host,
    jobs,
    mail,
    pools,
    probe,
    replications,
    repositories,
    state,
)
from bkp.concerns.model import Concern, gravest_first
from bkp.inventory import take_inventory
from bkp.state.reading import Readable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bkp.config.model import Config
    from bkp.inventory import Inventory
    from bkp.survey import Survey


def concerns_of(config: Config, survey: Survey, *, more: Iterable[Concern] = ()) -> list[Concern]:
    """Return everything that somebody has to look at, gravest first; `more` is what only the caller knows."""
    parts: list[tuple[str, Callable[[], Iterable[Concern]]]] = [("the state", lambda: state.concerns(survey))]
    if survey.presence.problem is None:  # else nothing is known of the rest, and the first concern says so
        parts.append(("the jobs", lambda: jobs.concerns(survey)))
        parts += [
            (f"repository {name}", partial(repositories.concerns, config, survey, name)) for name in config.repositories
        ]
        parts.append(("what lies outside", lambda: escrow.concerns(config, survey)))
        parts.append(("the mail", lambda: mail.concerns(config, survey)))
        parts += [
            (f"replication {name}", partial(replications.concerns, config, survey, name))
            for name in config.replications
        ]
        parts += [("the probe", lambda: probe.concerns(config, survey)), *_observed(config, survey)]
        parts.append(("the audit", lambda: audit.concerns(config, survey)))
    return gravest_first([*more, *(concern for name, part in parts for concern in _guarded(name, part))])


def _observed(config: Config, survey: Survey) -> list[tuple[str, Callable[[], Iterable[Concern]]]]:
    seen = survey.observations

    @cache  # taken once for all parts, and by them: a defect in it must take none of the others down
    def inventory() -> Inventory:
        return take_inventory(config, seen, survey.now)

    parts: list[tuple[str, Callable[[], Iterable[Concern]]]] = [
        ("the pools", lambda: pools.concerns(inventory(), survey.now)),
        ("the disks", lambda: disks.concerns(inventory(), survey.now)),
        ("the host", lambda: host.concerns(config, inventory())),
        ("what pools and disks tell of runs", lambda: agreement.concerns(config, survey, inventory())),
    ]
    if isinstance(seen.datasets, Readable):
        parts.append(("the datasets", lambda: datasets.concerns(inventory())))
    return parts


def _guarded(name: str, part: Callable[[], Iterable[Concern]]) -> list[Concern]:
    try:
        return list(part())
    except Exception as exc:  # noqa: BLE001  # a defect in one part must not silence the others
        return [defect(name, exc)]


def defect(name: str, exc: Exception) -> Concern:
    """Return the concern that a part cannot be judged, for what it raised."""
    why = f"{name}: cannot be judged: this is a defect of bkp ({type(exc).__name__}: {exc})"
    return Concern("internal_error", "critical", name, why, "report it with the state file that it comes from")
