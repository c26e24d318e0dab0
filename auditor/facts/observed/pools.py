"""Facts of pool.*: each pool that is configured, that the probe found, or on which something of the backup lies."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from auditor.evidence import Facts
from auditor.facts.observed.host import SOURCE as HOST
from auditor.facts.observed.sight import doubt, source
from bkp.agreement import scrub_contradiction
from bkp.concerns.pools import WELL, device_name, untold
from bkp.inventory import PoolEntry, leaves
from bkp.jobs import SCRUB
from bkp.other_schedules import scrub_schedulers
from bkp.zfs_health.model import UNKNOWN_STATE, every_vdev, root_vdev, worse_root

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from auditor.facts.builder import FactBuilder, FactGroup
    from auditor.facts.observed.host import SchedulersSeen
    from bkp.config.model import Config
    from bkp.inventory import Inventory
    from bkp.observations import PoolSeen
    from bkp.past import JobTarget
    from bkp.state.observed import Observed
    from bkp.state.reading import Reading
    from bkp.state.records import Run
    from bkp.zfs_health.model import PoolHealth, Scan, Vdev

SOURCE = source("pools")
_DAY = timedelta(days=1)
_GONE = frozenset({"UNAVAIL", "REMOVED"})
_SCRUBBED = ("scrub_ended_at", "scrub_days", "scrub_errors", "scrub_repaired_bytes")
_HEALTH = (
    "state",
    "suspended",
    "troubled_devices",
    "damaged_files",
    "unwatched_devices",
    "capacity",
    "scrub_state",
    *_SCRUBBED,
    "scrub_contradictions",
)


def collect_pools(
    builder: FactBuilder,
    config: Config,
    reading: Reading[Observed[PoolSeen]],
    inventory: Inventory,
    schedulers: SchedulersSeen,
    successes: Mapping[JobTarget, Run | None],
) -> None:
    """Add pool.*. A pool of the backup that neither the configuration nor the probe knows is there all the same."""
    lying = _lying_on(Facts(builder.facts))
    known = {entry.name for entry in inventory.pools}
    unknown = [
        PoolEntry(name, None, None, missing=False, current=False, uses=()) for name in lying if name not in known
    ]
    watched = {path: name for path, name in inventory.disk_names.items() if name in config.disks}
    names = {config.zpool(name): name for name in config.pools}
    for entry in (*inventory.pools, *unknown):
        facts = builder.of("pool", entry.name)
        settings = entry.settings
        values = {
            "name": entry.name,
            "configured": settings is not None,
            "scrub_limit": settings.scrub_age / _DAY if settings is not None else None,
        }
        facts.add("the configuration", values)
        uses = tuple(dict.fromkeys((*entry.uses, *lying.get(entry.name, ()))))
        facts.add(f"the configuration, mountinfo (proc(5)), {source('datasets')}", {"uses": uses})
        found = schedulers.schedulers
        who = {"scrub_schedulers": scrub_schedulers(found.scrubs, entry.name) if found is not None else None}
        facts.add_known(HOST, who, schedulers.problem, at=schedulers.at)
        problem = doubt(entry.part, "pools", reading, builder.now)
        if problem is None and entry.part is None and entry in unknown:
            problem = "the probe does not tell of it"
        if problem is not None:
            facts.fail(SOURCE, problem)
        elif entry.missing or entry.part is None or entry.seen is None:
            facts.add(SOURCE, {"present": False, **dict.fromkeys(_HEALTH)})
        else:
            _describe(facts, entry.seen, watched, builder.now, entry.part.seen_at)
            success = successes.get((SCRUB.name, names.get(entry.name, "")))
            why = scrub_contradiction(success, entry.seen.health.scrub, entry.part.seen_at)
            facts.add(f"{SOURCE}, jobs/scrub", {"scrub_contradictions": (why,) if why else ()}, at=entry.part.seen_at)


def _lying_on(facts: Facts) -> dict[str, list[str]]:
    """Return the pools of the backup, as zfs tells of them now, each with what lies on it."""
    found: dict[str, list[str]] = {name: [] for name in facts.instances("zfs.pool")}
    for dataset in facts.instances("zfs.dataset"):
        pool = facts.text(f"zfs.dataset.{dataset}.pool")
        for field, word in (("sources", "source"), ("repositories", "repository")):
            fact = facts.get(f"zfs.dataset.{dataset}.{field}")
            if pool in found and fact is not None and isinstance(fact.value, tuple):
                found[pool] += [f"{word} {name}" for name in fact.value]
    return found


def _describe(facts: FactGroup, seen: PoolSeen, watched: Mapping[str, str], now: datetime, at: datetime | None) -> None:
    health = seen.health
    facts.add(SOURCE, {"present": True}, at=at)
    known = {
        "state": health.state if health.state != UNKNOWN_STATE else None,
        "suspended": health.suspended,
        "damaged_files": None if health.data_errors is None else health.data_errors != 0,
        "capacity": health.space.capacity if health.space is not None else None,
    }
    facts.add_known(SOURCE, known, "zpool does not tell", at=at)
    troubled, gaps = _troubled(health), untold(health)
    if troubled or not gaps:
        facts.add(SOURCE, {"troubled_devices": troubled}, at=at)
    else:
        facts.fail(SOURCE, f"not all of it is known: {'; '.join(gaps)}", ("troubled_devices",))
    elsewhere = tuple(
        device_name(vdev) for vdev, path in leaves(seen) if vdev.state not in _GONE and (path or "") not in watched
    )
    if health.vdevs:
        facts.add(SOURCE, {"unwatched_devices": tuple(dict.fromkeys(elsewhere))}, at=at)
    else:
        facts.fail(SOURCE, "zpool does not tell its devices", ("unwatched_devices",))
    _scrub(facts, health.scrub, now, at)


def _troubled(health: PoolHealth) -> tuple[str, ...]:
    """Return the devices that are not in order or count errors; a group only where no device below it is one.

    The pool itself is one where it counts errors: those are of data that no copy was left of. So it is where its row is
    worse than its own line, and no device says why.
    """
    root, worse = root_vdev(health), worse_root(health)
    found = [vdev for vdev in every_vdev(health) if vdev is not root and _is_troubled(vdev)]
    own = [root] if root is not None and (_counts(root) or (worse is not None and not found)) else []
    return tuple(_words(vdev) for vdev in (*([vdev for vdev in found if not vdev.children] or found), *own))


def _is_troubled(vdev: Vdev) -> bool:
    return vdev.state not in WELL or _counts(vdev)


def _counts(vdev: Vdev) -> bool:
    return bool(vdev.read or vdev.write or vdev.checksum)


def _words(vdev: Vdev) -> str:
    counts = ((vdev.read, "read"), (vdev.write, "write"), (vdev.checksum, "checksum"))
    errors = [f"{count} {what} errors" for count, what in counts if count]
    return " ".join([device_name(vdev), vdev.state or "of unknown state", *errors])


def _scrub(facts: FactGroup, scrub: Scan, now: datetime, at: datetime | None) -> None:
    """Add the last scrub. ZFS remembers one scan only: while one goes on nobody can tell how that before it ended."""
    if scrub.state in {"unknown", "not told"}:
        other = "ZFS remembers only the last scan, and that was no scrub"
        why = other if scrub.state == "not told" else "zpool does not tell"
        facts.fail(SOURCE, why, ("scrub_state", *_SCRUBBED))
        return
    facts.add(SOURCE, {"scrub_state": scrub.state}, at=at)
    if scrub.state == "in progress":
        facts.fail(SOURCE, "a scrub goes on, and ZFS no longer tells how the one before it ended", _SCRUBBED)
    elif scrub.state != "finished":
        facts.add(SOURCE, dict.fromkeys(_SCRUBBED), at=at)
    else:
        known = {
            "scrub_ended_at": scrub.end,
            "scrub_days": (now - scrub.end) / _DAY if scrub.end is not None else None,
            "scrub_errors": scrub.errors,
            "scrub_repaired_bytes": scrub.repaired,
        }
        facts.add_known(SOURCE, known, "zpool does not tell", at=at)
