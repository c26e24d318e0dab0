"""What the exporter publishes: the survey of the state, and what it adds. Pure; knows nothing of Prometheus or HTTP."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bkp.concerns import Concern, concerns_of
from bkp.holdings import Holding, holding_of
from bkp.inventory import Inventory, take_inventory
from bkp.pulls import newest_pull
from bkp.state.reading import Missing, Readable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from bkp.config import Config
    from bkp.past import Synced
    from bkp.state.reading import Reading
    from bkp.survey import Survey
    from exporter.reading import LoadedConfig, Look


@dataclass(frozen=True)
class StateFile:
    """One state file that is there: `problem` says why it cannot be used.

    `name` is relative to the state directory; the run that waits beside the locks to be recorded has its whole path.
    """

    name: str
    problem: str | None
    written_at: datetime | None


@dataclass(frozen=True)
class Model:
    """Everything that the exporter publishes, at one moment (`survey.now`, UTC). Concerns are gravest first."""

    host: str
    config: LoadedConfig
    survey: Survey
    holdings: tuple[Holding, ...]
    inventory: Inventory
    files: tuple[StateFile, ...]
    concerns: tuple[Concern, ...]

    @property
    def pulls(self) -> dict[str, Synced]:
        """Return what is recorded of each replication as it is configured and lies here now."""
        config = self.config.config
        found = {name: newest_pull(config, self.survey, name) for name in config.replications}
        return {name: synced for name, synced in found.items() if synced is not None}


def build_model(look: Look) -> Model:
    """Return what the look says. A record that cannot be used leaves out what it alone would have said."""
    config, survey = look.config.config, look.survey
    return Model(
        host=look.host,
        config=look.config,
        survey=survey,
        holdings=tuple(_holdings(config, survey)),
        inventory=take_inventory(config, survey.observations, survey.now),
        files=tuple(_files(Path(config.paths.state), survey)),
        concerns=tuple(concerns_of(config, survey, more=_own_concerns(look.config))),
    )


def _holdings(config: Config, survey: Survey) -> Iterator[Holding]:
    for name in config.repositories:
        with contextlib.suppress(Exception):  # a defect takes away this one; `concerns_of` says so
            yield holding_of(config, survey, name)


def _own_concerns(config: LoadedConfig) -> Iterator[Concern]:
    if not config.current:
        yield Concern(
            "config_invalid",
            "warning",
            "the configuration",
            "the configuration file is not valid or is gone; the one before it is in use",
            "`bkp-run config check` says what is wrong",
        )


def _files(root: Path, survey: Survey) -> Iterator[StateFile]:
    if survey.presence.there is False:
        return
    for standing in survey.standings:
        yield from _file(root, standing.state.latest, standing.state.success)
    seen = survey.observations
    yield from _file(root, seen.pools, seen.datasets, seen.disks, seen.host)
    yield from _file(root, survey.audit)
    history = survey.history
    if history.exists:
        yield StateFile(history.path.name, history.problem, history.written_at)
    elif survey.recorded:
        yield StateFile(history.path.name, "is gone, though runs are recorded", None)


def _file(root: Path, *readings: Reading[Any]) -> Iterator[StateFile]:
    for found in readings:
        if isinstance(found, Missing):
            continue
        name = str(found.path.relative_to(root) if found.path.is_relative_to(root) else found.path)
        if isinstance(found, Readable):
            yield StateFile(name, None, found.written_at)
        else:
            yield StateFile(name, found.reason, None)
