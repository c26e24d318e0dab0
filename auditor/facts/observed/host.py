"""Facts of host.* that the probe observes, and who schedules scrubs and self-tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditor.facts.observed.sight import doubt, source
from bkp.state.reading import Missing, Unreadable

if TYPE_CHECKING:
    from datetime import datetime

    from auditor.facts.builder import FactBuilder
    from bkp.config.model import Config
    from bkp.inventory import Inventory
    from bkp.observations import HostSeen, Schedulers
    from bkp.state.observed import Observed
    from bkp.state.reading import Reading

_SEEN = ("undervoltage", "usb_resets", "newest_kernel", "newest_kernel_has_zfs")
SOURCE = source("host")


@dataclass(frozen=True)
class SchedulersSeen:
    """Who schedules, as it was seen `at`; or why that is not known."""

    schedulers: Schedulers | None
    at: datetime | None
    problem: str


def schedulers_of(reading: Reading[Observed[HostSeen]], inventory: Inventory, now: datetime) -> SchedulersSeen:
    """Return who schedules scrubs and self-tests."""
    part = inventory.host
    problem = doubt(part, "host", reading, now)
    if problem is not None or part is None or part.value is None:
        return SchedulersSeen(None, None, problem or "the probe saw no host")
    return SchedulersSeen(part.value.schedulers, part.seen_at, "the probe does not tell who schedules")


def collect_host_seen(
    builder: FactBuilder, config: Config, reading: Reading[Observed[HostSeen]], inventory: Inventory
) -> None:
    """Add what of host.* is observed. What a host does not tell of is absent: most tell nothing of undervoltage."""
    facts, part = builder.of("host"), inventory.host
    if isinstance(reading, Missing) and not (config.pools or config.disks):
        facts.add(f"{SOURCE}: the probe has never looked, and nothing is configured for it", dict.fromkeys(_SEEN))
        return
    problem = doubt(part, "host", reading, builder.now)
    if problem is not None and not (config.pools or config.disks or isinstance(reading, Unreadable)):
        facts.add(f"{SOURCE}: {problem}, and nothing is configured for it", dict.fromkeys(_SEEN))
        return
    if problem is not None or part is None or part.value is None:
        facts.fail(SOURCE, problem or "the probe saw no host", _SEEN)
        return
    seen = part.value
    values = {"undervoltage": seen.undervoltage, "usb_resets": seen.usb_resets}
    facts.add(SOURCE, values, at=part.seen_at)
    kernels = seen.kernels
    known = {
        "newest_kernel": kernels.newest if kernels else None,
        "newest_kernel_has_zfs": kernels.newest_has_zfs if kernels else None,
    }
    facts.add_known(SOURCE, known, "the folders of kernel modules do not tell", at=part.seen_at)
