"""What is remembered of a repository between nights: which one it is, and what its archives are named after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.archive_names import prefix_of
from bkp.jobs import NIGHTLY
from bkp.state.reading import Readable
from bkp.state.records import KnownRepository
from bkp.state.results import NightlyResult
from bkp.state.store import value_of

if TYPE_CHECKING:
    from bkp.state.store import StateStore


def remembered(store: StateStore, target: str) -> KnownRepository | None:
    """Return what is remembered of the target's repository: its own record, or else what the last nights recorded.

    None if neither tells of one. Never raises.
    """
    reading = store.read_repository(target)
    if isinstance(reading, Readable):
        return reading.value
    nights = store.read_job(NIGHTLY.name, target)
    for run in (value_of(nights.success), value_of(nights.latest)):
        if run is not None and isinstance(run.result, NightlyResult):
            made, seen = run.result.archive, run.result.repository
            return KnownRepository(
                target=target,
                id=seen.id,
                encryption=seen.encryption,
                archive_prefix=prefix_of(made.name),
                accepted_at=run.started_at,
            )
    return None
