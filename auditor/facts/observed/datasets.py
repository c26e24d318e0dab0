"""Facts of dataset.*: what the probe tells of the backup's datasets, beside what the audit itself asks of zfs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.facts.observed.sight import doubt, source

if TYPE_CHECKING:
    from auditor.facts.builder import FactBuilder
    from bkp.inventory import Inventory
    from bkp.state.observed import Observed
    from bkp.state.reading import Reading
    from bkp.zfs_health.model import DatasetHealth

SOURCE = source("datasets")
_SEEN = ("readonly", "receiving", "snapshots", "newest_snapshot_at")


def collect_datasets(builder: FactBuilder, reading: Reading[Observed[DatasetHealth]], inventory: Inventory) -> None:
    """Add dataset.*. The datasets of a pool that nobody configured are not looked at, and have no facts."""
    watched = {entry.name for entry in inventory.pools if entry.settings is not None}
    for entry in inventory.datasets:
        if not entry.uses or entry.name.partition("/")[0] not in watched:
            continue
        facts = builder.of("dataset", entry.name)
        facts.add("the configuration", {"uses": entry.uses})
        problem = doubt(entry.part, "datasets", reading, builder.now)
        if problem is not None:
            facts.fail(SOURCE, problem)
            continue
        seen = entry.seen
        if entry.part is None or seen is None:
            facts.add(SOURCE, {"present": False, **dict.fromkeys(_SEEN)})
            continue
        at, snapshots = entry.part.seen_at, seen.snapshots
        facts.add(SOURCE, {"present": True, "newest_snapshot_at": snapshots.newest if snapshots else None}, at=at)
        known = {
            "readonly": seen.readonly,
            "receiving": seen.receiving,
            "snapshots": snapshots.count if snapshots is not None else None,
        }
        facts.add_known(SOURCE, known, "zfs does not tell", at=at)
        if snapshots is None:
            facts.fail(SOURCE, "zfs does not tell", ("newest_snapshot_at",))
