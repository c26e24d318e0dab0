"""Facts of pools, disks, datasets and host as `bkp-run probe` saw them, by the inventory that page and metrics use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.facts.observed.datasets import collect_datasets
from auditor.facts.observed.disks import collect_disks
from auditor.facts.observed.host import collect_host_seen, schedulers_of
from auditor.facts.observed.pools import collect_pools
from auditor.facts.observed.sight import collect_found
from bkp.inventory import take_inventory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.facts.builder import FactBuilder
    from bkp.config.model import Config
    from bkp.observations import Observations
    from bkp.past import JobTarget
    from bkp.state.records import Run

__all__ = ["collect_observed"]

NO_RUNS: Mapping[JobTarget, Run | None] = {}


def collect_observed(
    builder: FactBuilder, config: Config, seen: Observations, successes: Mapping[JobTarget, Run | None] = NO_RUNS
) -> None:
    """Add probe.*, pool.*, disk.*, dataset.* and what of host.* is observed.

    What lies on a pool is also taken from zfs.*, so collect that first. `successes` are the last good runs, by job and
    target: what they say of scrubs and self-tests is held against the hardware's own logs.
    """
    inventory = take_inventory(config, seen, builder.now)
    schedulers = schedulers_of(seen.host, inventory, builder.now)
    collect_found(builder, seen, inventory)
    collect_pools(builder, config, seen.pools, inventory, schedulers, successes)
    collect_disks(builder, seen.disks, inventory, schedulers, successes)
    collect_datasets(builder, seen.datasets, inventory)
    collect_host_seen(builder, config, seen.host, inventory)
