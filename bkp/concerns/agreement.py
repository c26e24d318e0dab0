"""Concerns about records of scrubs and self-tests that the hardware's own logs contradict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.agreement import scrub_contradiction, self_test_contradiction
from bkp.concerns.model import Concern
from bkp.jobs import SCRUB, SELFTEST_LONG, SELFTEST_SHORT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bkp.config.model import Config
    from bkp.inventory import Inventory
    from bkp.survey import Survey


def concerns(config: Config, survey: Survey, inventory: Inventory) -> Iterator[Concern]:
    """Yield them."""
    successes = {(each.job, each.target): each.success for each in survey.standings}
    names = {config.zpool(name): name for name in config.pools}
    for pool in inventory.pools:
        success = successes.get((SCRUB.name, names.get(pool.name, "")))
        if pool.current and pool.seen is not None and pool.part is not None:
            yield from _about(
                f"pool {pool.name}", scrub_contradiction(success, pool.seen.health.scrub, pool.part.seen_at)
            )
    for disk in inventory.disks:
        seen = disk.seen
        if not disk.current or seen is None or seen.health is None:
            continue
        for job in (SELFTEST_SHORT, SELFTEST_LONG):
            success = successes.get((job.name, disk.name))
            yield from _about(f"disk {disk.name}", self_test_contradiction(success, seen.health, seen.health_at))


def _about(what: str, why: str | None) -> Iterator[Concern]:
    if why is not None:
        remedy = "see whether it is still the same pool or disk, and who changed the state directory; then run it anew"
        yield Concern("records_disagree", "warning", what, f"{what}: {why}", remedy)
