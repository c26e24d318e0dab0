"""The newest pull of a replication, as far as it is evidence: of what is configured, and of the very datasets here.

A dataset is known by its guid. One that was destroyed, or made anew under its name, has nothing of what was pulled into
the one before; the probe sees that within minutes, the next pull records the new one. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.state.store import value_of
from bkp.words import some

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from bkp.config.model import Config
    from bkp.past import Synced
    from bkp.state.observed import Part
    from bkp.survey import Survey
    from bkp.zfs_health.model import DatasetHealth

    Parts = Mapping[str, Part[DatasetHealth]]


def newest_pull(config: Config, survey: Survey, name: str) -> Synced | None:
    """Return the newest pull that recorded anything; None without one, or where it tells of something else by now."""
    synced = recorded_pull(config, survey, name)
    return None if synced is None or replaced_since(survey, synced) is not None else synced


def recorded_pull(config: Config, survey: Survey, name: str) -> Synced | None:
    """Return the newest pull of the configured source into the configured target, whatever lies there now."""
    settings, synced = config.replications[name], survey.past.synced.get(name)
    if synced is None or (synced.result.source, synced.result.target) != (settings.source, settings.target):
        return None
    return synced


def replaced_since(survey: Survey, synced: Synced) -> str | None:
    """Return which datasets are not those any more that were pulled into, in words; None where none is known to be."""
    seen = value_of(survey.observations.datasets)
    if seen is None:
        return None
    pulled = [each for each in synced.result.datasets or () if each.snapshot is not None]
    gone = [each.dataset for each in pulled if _is_gone(seen.parts, each.dataset, synced.ended_at)]
    if gone:
        return f"{some(gone)} is not there any more: it was destroyed or renamed"
    anew = [
        each.dataset
        for each in pulled
        if each.guid is not None
        and (there := _seen_after(seen.parts, each.dataset, synced.ended_at)) is not None
        and there.guid not in {None, each.guid}
    ]
    if anew:
        return f"{some(anew)} is another dataset than the one that was pulled into: it was destroyed and made anew"
    return None


def _seen_after(parts: Parts, dataset: str, moment: datetime) -> DatasetHealth | None:
    """Return the dataset as a look saw it that came after `moment`."""
    part = parts.get(dataset)
    if part is None or part.error is not None or part.seen_at is None or part.seen_at <= moment:
        return None
    return part.value


def _is_gone(parts: Parts, dataset: str, moment: datetime) -> bool:
    """Return whether a later look saw the datasets of its pool, and not this one."""
    return dataset not in parts and _seen_after(parts, dataset.partition("/")[0], moment) is not None
