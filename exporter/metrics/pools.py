"""Each pool that is configured or was seen: its state, its room, its errors and its scans."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from bkp.config.storage import Pool
from bkp.inventory import PoolEntry
from bkp.zfs_health.model import PoolHealth, PoolSpace, Scan, ScanState
from exporter.metrics.metric import MAX_PARTS, Labels, Metric, MetricSection, Table, Value, label_text
from exporter.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterator

POOL_STATES = ("online", "degraded", "faulted", "offline", "removed", "unavail", "suspended", "missing", "unknown")
SCAN_STATES = tuple(state.replace(" ", "_") for state in get_args(ScanState))

_ABSENT = "zpool did not tell, or the pool was never seen"


def _pools(model: Model) -> Iterator[tuple[Labels, PoolEntry]]:
    for entry in model.inventory.pools[:MAX_PARTS]:
        yield (label_text(entry.name),), entry


def _settings(model: Model) -> Iterator[tuple[Labels, Pool]]:
    for labels, entry in _pools(model):
        if entry.settings is not None:
            yield labels, entry.settings


def _seen(model: Model) -> Iterator[tuple[Labels, PoolHealth]]:
    for labels, entry in _pools(model):
        if entry.seen is not None and entry.seen.health.imported:
            yield labels, entry.seen.health


def _seen_now(model: Model) -> Iterator[tuple[Labels, PoolHealth]]:
    current = _current(model)
    return ((labels, health) for labels, health in _seen(model) if labels[0] in current)


def _current(model: Model) -> set[str]:
    return {label_text(entry.name) for entry in model.inventory.pools if entry.current}


def _spaces(model: Model) -> Iterator[tuple[Labels, PoolSpace]]:
    for labels, health in _seen(model):
        if health.space is not None:
            yield labels, health.space


def _scans(model: Model) -> Iterator[tuple[Labels, tuple[str, Scan]]]:
    current = _current(model)
    for labels, health in _seen(model):
        for kind, scan in (("scrub", health.scrub), ("resilver", health.resilver)):
            state = scan.state.replace(" ", "_") if labels[0] in current else "unknown"
            yield (*labels, kind), (state, scan)


def _state(entry: PoolEntry) -> Value:
    return entry.word if entry.word in POOL_STATES else "unknown"


def _info(health: PoolHealth) -> Labels:
    return (label_text(health.guid or ""), label_text(health.message_id or ""))


def _data_errors(health: PoolHealth) -> Value:
    return health.data_errors if isinstance(health.data_errors, int) else None


def _checkpoint(health: PoolHealth) -> Value:
    if health.checkpoint is not None and health.checkpoint.size is not None:
        return health.checkpoint.size
    return health.space.checkpoint if health.space is not None else None


SECTION = MetricSection[Model](
    "pools",
    "Pools",
    "By ZFS's name. What the configuration names is always here; `bkp_pool_state` says `missing` where it is not"
    " imported. The state is `unknown` if the last look did not see the pool or is too long ago; the numbers are then"
    " those of `bkp_observation_seen_timestamp_seconds`. The limits come from the configuration. The devices of"
    " the pools are in `bkp_vdev_*`.",
    Table[Model, PoolEntry](
        ("pool",),
        _pools,
        Metric(
            "bkp_pool_state",
            "State of the pool now: 1 for the one that holds, 0 for the others. A suspended pool is suspended, whatever"
            " ZFS calls its state.",
            "observed/pools.json: health.state, health.suspended",
            _state,
            labels=("state",),
            states=POOL_STATES,
            absent="the observation cannot be read and the configuration does not name it",
        ),
        Metric(
            "bkp_pool_configured",
            "1 if the configuration names the pool, 0 if it was only found.",
            "configuration: pools",
            lambda entry: entry.settings is not None,
            absent="there is no such pool",
        ),
        Metric(
            "bkp_pool_in_backup",
            "1 if a source or a repository is known to lie on it, 0 if none is.",
            "configuration: sources, repositories; observed/datasets.json: mountpoint",
            lambda entry: bool(entry.uses),
            absent="there is no such pool",
        ),
    ),
    Table[Model, PoolHealth](
        ("pool",),
        _seen_now,
        Metric(
            "bkp_pool_suspended",
            "1 if the pool is suspended now: everything that writes to it hangs.",
            "observed/pools.json: health.suspended",
            lambda health: health.suspended,
            absent="zpool did not tell, or the last look did not see the pool or is too long ago",
        ),
    ),
    Table[Model, Pool](
        ("pool",),
        _settings,
        Metric(
            "bkp_pool_capacity_warning_ratio",
            "Share in use above which there is a warning.",
            "configuration: pools.POOL.capacity_warning",
            lambda settings: settings.capacity_warning,
        ),
        Metric(
            "bkp_pool_capacity_critical_ratio",
            "Share in use above which it is critical.",
            "configuration: pools.POOL.capacity_critical",
            lambda settings: settings.capacity_critical,
        ),
        Metric(
            "bkp_pool_scrub_limit_seconds",
            "A scrub must have finished within this time.",
            "configuration: pools.POOL.scrub_age",
            lambda settings: settings.scrub_age.total_seconds(),
        ),
        absent="the configuration does not name the pool",
    ),
    Table[Model, PoolHealth](
        ("pool",),
        _seen,
        Metric(
            "bkp_pool_info",
            "The pool's guid, and the id of the message that zpool status gives about it (empty: none).",
            "observed/pools.json: health.guid, health.message_id",
            _info,
            labels=("guid", "message_id"),
        ),
        Metric(
            "bkp_pool_data_errors",
            "Data errors: damaged files or metadata.",
            "observed/pools.json: health.data_errors",
            _data_errors,
            absent=f"there are some and nothing tells how many (bkp_pool_data_errors_present is 1 then), or {_ABSENT}",
        ),
        Metric(
            "bkp_pool_data_errors_present",
            "1 if the pool has data errors, 0 if it has none.",
            "observed/pools.json: health.data_errors",
            lambda health: None if health.data_errors is None else bool(health.data_errors),
        ),
        Metric(
            "bkp_pool_checkpoint_bytes",
            "What the pool's checkpoint occupies; 0 without one.",
            "observed/pools.json: health.checkpoint.size, health.space.checkpoint",
            _checkpoint,
        ),
        absent=_ABSENT,
    ),
    Table[Model, PoolSpace](
        ("pool",),
        _spaces,
        Metric("bkp_pool_size_bytes", "Size of the pool.", "observed/pools.json: health.space.size", lambda s: s.size),
        Metric(
            "bkp_pool_allocated_bytes",
            "What is in use of it, parity included.",
            "observed/pools.json: health.space.allocated",
            lambda space: space.allocated,
        ),
        Metric(
            "bkp_pool_free_bytes", "What is free of it.", "observed/pools.json: health.space.free", lambda s: s.free
        ),
        Metric(
            "bkp_pool_capacity_ratio",
            "Share in use, 0 to 1.",
            "observed/pools.json: health.space.capacity",
            lambda space: space.capacity,
        ),
        Metric(
            "bkp_pool_fragmentation_ratio",
            "How much the free space is in pieces, 0 to 1.",
            "observed/pools.json: health.space.fragmentation",
            lambda space: space.fragmentation,
        ),
        Metric(
            "bkp_pool_readonly",
            "1 if the pool was imported read-only.",
            "observed/pools.json: health.space.readonly",
            lambda space: space.readonly,
        ),
        absent=_ABSENT,
    ),
    Table[Model, tuple[str, Scan]](
        ("pool", "scan"),
        _scans,
        Metric(
            "bkp_pool_scan_state",
            "State of the pool's last scrub and last resilver (label scan). ZFS remembers only the last scan of any"
            " kind: not_told is what it says of the other.",
            "observed/pools.json: health.scrub.state, health.resilver.state",
            lambda found: found[0],
            labels=("state",),
            states=SCAN_STATES,
        ),
        Metric(
            "bkp_pool_scan_start_timestamp_seconds",
            "Start of the scan.",
            "observed/pools.json: health.scrub.start",
            lambda found: found[1].start,
        ),
        Metric(
            "bkp_pool_scan_end_timestamp_seconds",
            "End of the scan, if it finished. One that was canceled has none.",
            "observed/pools.json: health.scrub.end",
            lambda found: found[1].end if found[1].state == "finished" else None,
            absent=f"the scan did not finish, or {_ABSENT}",
        ),
        Metric(
            "bkp_pool_scan_errors",
            "Errors that the scan could not repair.",
            "observed/pools.json: health.scrub.errors",
            lambda found: found[1].errors,
        ),
        Metric(
            "bkp_pool_scan_repaired_bytes",
            "What the scan repaired.",
            "observed/pools.json: health.scrub.repaired",
            lambda found: found[1].repaired,
        ),
        Metric(
            "bkp_pool_scan_progress_ratio",
            "How far the scan is, 0 to 1. It may fall, and some releases forget it in a pause.",
            "observed/pools.json: health.scrub.progress",
            lambda found: found[1].progress,
        ),
        absent=_ABSENT,
    ),
)
