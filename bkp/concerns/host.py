"""Concerns about the host: its power, its USB devices, its next kernel, and who scrubs and tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.concerns.model import Concern
from bkp.other_schedules import scrub_schedulers, self_test_schedulers
from bkp.words import some

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bkp.concerns.model import ConcernSeverity
    from bkp.config.model import Config
    from bkp.inventory import Inventory
    from bkp.observations import Kernels, Schedulers

_HOST = "the host"


def concerns(config: Config, inventory: Inventory) -> Iterator[Concern]:
    """Yield them."""
    part = inventory.host
    if part is None:
        return
    seen = part.value
    if part.error is not None or seen is None:
        why = f"the host cannot be seen: {part.error or 'nothing was seen'}"
        yield Concern("host_unknown", "warning", _HOST, why, "`bkp-run probe` looks again", part.seen_at)
    if seen is None:
        return
    if seen.undervoltage:
        why = "the power supply was too weak at some time since the host started"
        remedy = "use the maker's supply and cable; power the disks by themselves; then restart"
        yield _about("host_undervoltage", "warning", why, remedy)
    if seen.usb_resets:
        why = f"USB devices were reset {seen.usb_resets} times since the host started"
        remedy = "`journalctl -k -g reset` names them; look at cable, hub, power and the bridge of the disk"
        yield _about("host_usb_resets", "warning", why, remedy)
    if config.pools and seen.kernels is not None:
        yield from _kernel(seen.kernels)
    if seen.schedulers is not None:
        yield from _schedules(config, inventory, seen.schedulers)


def _kernel(kernels: Kernels) -> Iterator[Concern]:
    newest = kernels.newest or "the newest installed kernel"
    remedy = "install its headers, run `dkms autoinstall`, and look again before the host restarts"
    if kernels.newest_has_zfs is False:
        why = f"{newest} has no ZFS module: after a restart there is no pool"
        yield _about("host_no_zfs_module", "warning", why, remedy)
    elif kernels.newest_has_zfs is None:
        why = f"whether {newest} has a ZFS module is not known"
        yield _about("host_no_zfs_module", "info", why, "`dkms status` says so")


def _schedules(config: Config, inventory: Inventory, schedulers: Schedulers) -> Iterator[Concern]:
    pools = {f"pool {name}": scrub_schedulers(schedulers.scrubs, name) for name in map(config.zpool, config.pools)}
    disks = {
        f"disk {entry.name}": self_test_schedulers(schedulers.self_tests, entry.paths)
        for entry in inventory.disks
        if entry.settings is not None
    }
    for what, subjects in (("scrubs", pools), ("self-tests", disks)):
        for found in dict.fromkeys(found for found in subjects.values() if len(found) > 1):
            why = f"{len(found)} schedules start {what}: {', '.join(found)}"
            yield _about("host_schedules", "warning", why, "keep one of them")
        if lacking := [name for name, found in subjects.items() if not found]:
            whose = "" if len(lacking) == len(subjects) else f" of {some(lacking)}"
            yield _about("host_schedules", "warning", f"nothing starts {what}{whose}", "set up one schedule for them")


def _about(kind: str, severity: ConcernSeverity, why: str, remedy: str) -> Concern:
    return Concern(kind, severity, _HOST, why, remedy)
