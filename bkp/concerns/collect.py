"""All concerns of one survey."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.concerns import datasets, disks, host, jobs, pools, probe, repositories, state
from bkp.concerns.model import Concern, gravest_first
from bkp.inventory import take_inventory
from bkp.state.reading import Readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bkp.config.model import Config
    from bkp.survey import Survey


def concerns_of(config: Config, survey: Survey, *, more: Iterable[Concern] = ()) -> list[Concern]:
    """Return everything that somebody has to look at, gravest first; `more` is what only the caller knows."""
    found = [*more, *state.concerns(survey)]
    if survey.presence.problem is None:  # else nothing is known of the rest, and the first concern says so
        found += [*jobs.concerns(survey), *repositories.concerns(config, survey)]
        found += [*probe.concerns(config, survey), *_observed(config, survey)]
    return gravest_first(found)


def _observed(config: Config, survey: Survey) -> Iterator[Concern]:
    seen = survey.observations
    inventory = take_inventory(config, seen, survey.now)
    yield from pools.concerns(inventory, survey.now)
    if isinstance(seen.datasets, Readable):
        yield from datasets.concerns(inventory)
    yield from disks.concerns(inventory)
    yield from host.concerns(config, inventory)
