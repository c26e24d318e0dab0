"""What a pool says, judged: may a scrub begin, and how does the one stand that this run is about? Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from bkp.concerns.pools import WELL, culprits, device_name
from bkp.zfs_health.model import every_vdev

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from bkp.observations import PoolSeen
    from bkp.state.results import ScrubResult
    from bkp.zfs_health.model import PoolHealth, Scan

_WITHOUT_COPIES = frozenset({"cache", "spare"})

End = Literal["finished", "canceled", "displaced", "lost"]


class Standing(NamedTuple):
    """How the scrub of a run stands. `end` is None while it goes on, or where that cannot be told."""

    result: ScrubResult
    end: End | None = None


def hindrance(pool: PoolHealth, tested: Iterable[str]) -> str | None:
    """Return why no scrub should begin now; None if one may. `tested` are the disks in which a self-test runs.

    A scrub beside a spare in use has taken pools offline (openzfs/zfs#17472), and beside a resilver delays the repair.
    """
    if pool.suspended or pool.state != "ONLINE":
        return f"the pool is {'SUSPENDED' if pool.suspended else pool.state or 'in an unknown state'}"
    if pool.resilver.state in {"in progress", "paused"}:
        return "it resilvers"
    if pool.error_scrub.state == "in progress":
        return "an error scrub runs"
    vdevs = list(every_vdev(pool))
    if any(vdev.vdev_class == "spare" and vdev.state == "INUSE" for vdev in vdevs):
        return "a spare is in use"
    bad = [vdev for vdev in vdevs if vdev.state not in WELL and vdev.vdev_class not in _WITHOUT_COPIES]
    if bad:
        return f"its device {device_name(bad[-1])} is {bad[-1].state or 'in an unknown state'}"
    names = ", ".join(tested)
    return f"a self-test runs on {names}" if names else None


def standing(result: ScrubResult, seen: PoolSeen, names: Mapping[str, str], now: datetime) -> Standing:
    """Return how the scrub of a run stands by what the pool says now. `names` are those of disks, by device.

    Only what the pool calls finished is finished. A resilver, an error scrub or a canceled scrub never is.
    """
    pool, scan = seen.health, seen.health.scrub
    disks = tuple(dict.fromkeys((*result.disks, *culprits(seen, names))))
    result = msgspec.structs.replace(result, seen_at=now, disks=disks)
    if scan.state in {"in progress", "paused"}:
        return Standing(_under_way(result, scan))
    if scan.state == "unknown":
        return Standing(result)
    if scan.state == "not told":
        return Standing(result, "displaced")
    if scan.state == "never" or not _is_ours(scan, result):
        return Standing(result, "lost")
    ended = msgspec.structs.replace(result, ended_at=scan.end, paused_at=None, paused_by_us=False)
    if scan.state == "canceled":
        return Standing(ended, "canceled")
    return Standing(_finished(ended, scan, pool), "finished")


def _under_way(result: ScrubResult, scan: Scan) -> ScrubResult:
    """Return the result of a scrub that goes on. Whichever it is: one that began later reads everything, too."""
    examined = scan.total if scan.total is not None else result.examined_bytes
    return msgspec.structs.replace(
        result,
        started_at=scan.start or result.started_at,
        # some releases print 0 for a scrub that is paused (openzfs/zfs#17440)
        progress=result.progress if scan.state == "paused" and not scan.progress else scan.progress,
        paused_at=scan.paused_at or result.paused_at or result.seen_at if scan.state == "paused" else None,
        paused_by_us=result.paused_by_us and scan.state == "paused",
        examined_bytes=examined,
        repaired_bytes=scan.repaired,
    )


def _is_ours(scan: Scan, result: ScrubResult) -> bool:
    """Return whether a scrub that has ended is the one of this run, or a later one: a pool tells of the last alone."""
    return scan.end is not None and scan.end != result.previous_end


def _finished(result: ScrubResult, scan: Scan, pool: PoolHealth) -> ScrubResult:
    took = scan.duration
    if took is None and scan.start is not None and scan.end is not None:
        took = max(0, int((scan.end - scan.start).total_seconds()))
    sizes = (scan.total, result.examined_bytes, pool.space.allocated if pool.space is not None else None)
    return msgspec.structs.replace(
        result,
        finished=True,
        progress=1.0,
        started_at=scan.start or result.started_at,
        errors=scan.errors,
        repaired_bytes=scan.repaired,
        examined_bytes=next((size for size in sizes if size), None),
        seconds=took,
    )
