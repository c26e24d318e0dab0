"""Reads what `zpool status -j --json-int` prints (ZFS 2.3 and newer), to the same records as the text.

Numbers may be strings, exact (`-jp`) or scaled (`-j`). All devices may lie within `vdevs` (`--json-flat-vdevs`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from bkp.zfs_health.json_scans import read_scan_stats
from bkp.zfs_health.json_values import Item, integer, is_scaled, moment, text_of
from bkp.zfs_health.model import Checkpoint, DataErrors, PoolHealth, Reading, Vdev, VdevClass, Work, WorkState
from bkp.zfs_health.values import plain, ratio
from bkp.zfs_health.words import REMARKS, message_id_in, state_word, tells_suspension

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

_CLASSES: dict[str, VdevClass] = {
    "normal": "data",
    "dedup": "dedup",
    "special": "special",
    "log": "log",
    "logs": "log",
    "l2cache": "cache",
    "spare": "spare",
    "spares": "spare",
}
_GROUPS = ("dedup", "special", "logs", "l2cache", "spares")
_WORK_STATES: dict[str, WorkState] = {"SCANNING": "in progress", "FINISHED": "finished", "CANCELED": "canceled"}
_GROUP_TYPES = frozenset({"root", "mirror", "raidz", "draid", "replacing", "spare"})
_MAX_DEPTH = 16


def read_status_json(text: str | bytes, *, now: datetime | None = None) -> Reading:
    """Return the pools that the JSON tells of. Anything else gives no pool, and the reason.

    `now` is when it was printed: JSON has no time left of a scan, and with `now` it is computed as zpool does for text.
    """
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return Reading(problem="this is not JSON, or it is cut")
    pools = document.get("pools") if isinstance(document, dict) else None
    if not isinstance(pools, dict):
        return Reading(problem="the JSON has no pools: this is not what zpool status -j prints")
    return Reading(pools=tuple(_read_pool(key, item, now) for key, item in pools.items()))


def _read_pool(key: str, item: Any, now: datetime | None) -> PoolHealth:
    if not isinstance(item, dict):
        return PoolHealth(name=plain(key), problems=("the JSON tells nothing of the pool",))
    name = text_of(item, "name") or plain(key)
    state = text_of(item, "state")
    status, message_id = text_of(item, "status"), message_id_in(text_of(item, "msgid") or "")
    scan_stats = item.get("scan_stats")
    vdevs = tuple(_outermost(item, name, scanning=_scanning(scan_stats)))
    problems = tuple(_problems(item, state, vdevs))
    sure = state is not None and not ("msgid" in item and message_id is None)
    whole = bool(vdevs) and isinstance(item.get("scan_stats", {}), dict)
    scans = read_scan_stats(scan_stats, now, whole=whole)
    suspended = state == "SUSPENDED" or tells_suspension(status or "", message_id)
    return PoolHealth(
        name=name,
        guid=text_of(item, "pool_guid") or text_of(item, "guid"),
        state=state,
        suspended=True if suspended else False if sure else None,
        message_id=message_id,
        status=status,
        action=text_of(item, "action"),
        vdevs=vdevs,
        scrub=scans.scrub,
        resilver=scans.resilver,
        error_scrub=scans.error_scrub,
        data_errors=_data_errors(item),
        checkpoint=_checkpoint(item.get("checkpoint_stats")),
        removal=_work(item.get("removal_stats"), "removing_vdev", "to_copy", "copied"),
        expansion=_work(item.get("raidz_expand_stats"), "expanding_vdev", "to_reflow", "reflowed"),
        problems=problems,
    )


def _problems(item: Item, state: str | None, vdevs: tuple[Vdev, ...]) -> Iterator[str]:
    if not vdevs:
        yield "the JSON has no devices of the pool"
    if state is None:
        yield "the pool's state is missing"
    if _lacks_members(item.get("vdevs"), outermost=True):
        yield "a group of devices lacks its members"
    for group in _GROUPS:
        if item.get(group) is not None and not isinstance(item[group], dict):
            yield f"the devices of {group} cannot be read"
    if integer(item, "error_count") is None:
        yield "the number of data errors is missing"


def _lacks_members(vdevs: Any, depth: int = 0, *, outermost: bool = False) -> bool:
    """Return whether a group stands without members. In a flat map they stand beside the pool's own vdev."""
    if not isinstance(vdevs, dict) or depth > _MAX_DEPTH:
        return False
    flat = outermost and len(vdevs) > 1
    return any(
        isinstance(item, dict)
        and (
            (text_of(item, "vdev_type") in _GROUP_TYPES and not _members(item) and not flat)
            or _lacks_members(item.get("vdevs"), depth + 1)
        )
        for item in vdevs.values()
    )


def _members(item: Item) -> bool:
    members = item.get("vdevs")
    return isinstance(members, dict) and bool(members)


def _data_errors(item: Item) -> DataErrors | None:
    count, listed = integer(item, "error_count"), item.get("errlist")
    if isinstance(listed, list):  # with -v; every snapshot that has the damaged file is listed, and counted once
        return max(count or 0, len(listed)) or ("some" if count is None else 0)
    return "some" if count is None and listed is not None else count


def _scanning(scan_stats: Any) -> str | None:
    """Return the remark that a device has while it takes part in the scan."""
    if not isinstance(scan_stats, dict) or scan_stats.get("state") != "SCANNING":
        return None
    return "resilvering" if scan_stats.get("function") == "RESILVER" else "repairing"


def _outermost(item: Item, name: str, *, scanning: str | None) -> Iterator[Vdev]:
    """Yield the pool's own vdev, and beside it those of other classes."""
    entries = item.get("vdevs")
    flat = dict(entries) if isinstance(entries, dict) else {}
    pool = flat.pop(name, None)
    root = _vdev(name, pool, "data", scanning) if pool is not None else None
    seen = _names(root) if root else set()
    others: list[Vdev] = []
    beside = [_vdev(key, each, "data", scanning) for key, each in flat.items()]
    # of a flat map the groups come first, so that their members are found in them
    for vdev in sorted(beside, key=_size, reverse=True):
        if vdev.name not in seen:
            seen |= _names(vdev)
            others.append(vdev)
    others.sort(key=beside.index)
    data = tuple(vdev for vdev in others if vdev.vdev_class == "data")
    if root:
        yield msgspec.structs.replace(root, children=(*root.children, *data))
    else:
        yield from data
    yield from (vdev for vdev in others if vdev.vdev_class != "data")
    for group in _GROUPS:
        members = item.get(group)
        if isinstance(members, dict):
            yield from (_vdev(key, each, _CLASSES[group], scanning) for key, each in members.items())
    for group, members in item.items():  # of a class that a later release has
        if group not in {"vdevs", *_GROUPS} and isinstance(members, dict):
            found = [(key, each) for key, each in members.items() if isinstance(each, dict) and "vdev_type" in each]
            yield from (_vdev(key, each, "data", scanning) for key, each in found)


def _names(vdev: Vdev) -> set[str]:
    return {vdev.name}.union(*(_names(child) for child in vdev.children))


def _size(vdev: Vdev) -> int:
    return len(_names(vdev))


def _vdev(key: str, item: Any, vdev_class: VdevClass, scanning: str | None, depth: int = 0) -> Vdev:
    if not isinstance(item, dict) or depth > _MAX_DEPTH:
        return Vdev(name=plain(key), vdev_class=vdev_class)
    own_class = _CLASSES.get(text_of(item, "class") or "", vdev_class) if vdev_class == "data" else vdev_class
    inner = item.get("vdevs")
    children = inner.items() if isinstance(inner, dict) else ()
    remark, state, was = text_of(item, "aux"), text_of(item, "state"), text_of(item, "was")
    return Vdev(
        name=text_of(item, "name") or plain(key),
        state=state and state_word(state, remark),
        vdev_class=own_class,
        guid=text_of(item, "guid"),
        path=None if was else text_of(item, "path"),
        was=was,
        read=integer(item, "read_errors"),
        write=integer(item, "write_errors"),
        checksum=integer(item, "checksum_errors"),
        slow=integer(item, "slow_ios"),
        rounded=any(is_scaled(item, f"{kind}_errors") for kind in ("read", "write", "checksum")),
        notes=tuple(_notes(item, was, remark, scanning, leaf=not children)),
        children=tuple(_vdev(name, child, own_class, scanning, depth + 1) for name, child in children),
    )


def _notes(item: Item, was: str | None, remark: str | None, scanning: str | None, *, leaf: bool) -> Iterator[str]:
    """Yield what the text prints behind a device, in its order."""
    if was:
        yield f"was {was}"
    elif remark and remark != "NONE":
        yield _remark(item, remark, leaf=leaf)
    else:
        yield from _block_size(item)
    if integer(item, "removing"):
        yield "removing"
    elif integer(item, "noalloc"):
        yield "non-allocating"
    if scanning and leaf and text_of(item, "state") == "ONLINE":
        if integer(item, "scan_processed"):
            yield scanning
        elif integer(item, "resilver_deferred"):
            yield "awaiting resilver"
    at_work = (("init_state", "initializing"), ("trim_state", "trimming"))
    yield from (word for key, word in at_work if text_of(item, key) == "ACTIVE")


def _remark(item: Item, remark: str, *, leaf: bool) -> str:
    errors = any(integer(item, f"{kind}_errors") for kind in ("read", "write", "checksum"))
    if remark == "ERR_EXCEEDED" and leaf and not errors and integer(item, "slow_ios"):
        return "too many slow I/Os"
    return REMARKS.get(remark, remark)


def _block_size(item: Item) -> Iterator[str]:
    configured, physical = integer(item, "configured_ashift"), integer(item, "physical_ashift")
    if configured is not None and physical is not None and configured < physical < 64:
        yield f"block size: {1 << configured}B configured, {1 << physical}B native"


def _checkpoint(item: Any) -> Checkpoint | None:
    if item is None or (isinstance(item, dict) and item.get("state") == "NONE"):
        return None
    if not isinstance(item, dict):
        return Checkpoint()
    size, rounded = integer(item, "space"), is_scaled(item, "space")
    if item.get("state") == "DISCARDING":
        return Checkpoint(state="discarding", size=size, rounded=rounded)
    known = item.get("state") == "EXISTS"
    created = moment(item, "start_time")
    return Checkpoint(state="exists" if known else "unknown", created=created, size=size, rounded=rounded)


def _work(item: Any, number: str, total: str, copied: str) -> Work | None:
    if not isinstance(item, dict) or item.get("state") == "NONE":
        return None
    state = _WORK_STATES.get(text_of(item, "state") or "", "unknown")
    if state == "in progress" and integer(item, "waiting_for_resilver"):
        state = "paused"
    name, place = text_of(item, "name"), integer(item, number)
    running = state in {"in progress", "paused"}
    if number == "expanding_vdev" and name and place is not None and not name.endswith(f"-{place}"):
        name = f"{name}-{place}"  # the text's form
    done, whole = integer(item, copied), integer(item, total)
    return Work(
        state=state,
        vdev=name,
        start=moment(item, "start_time"),
        end=None if running else moment(item, "end_time"),
        copied=done,
        total=whole,
        progress=ratio(done, whole) if running else None,
        rounded=is_scaled(item, copied) or is_scaled(item, total),
    )
