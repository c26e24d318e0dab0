"""Reads `scan_stats` of `zpool status -j`: the scan, an error scrub after it, and sequential resilvers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bkp.zfs_health.json_values import Item, integer, is_scaled, moment, text_of
from bkp.zfs_health.model import Scan, ScanState
from bkp.zfs_health.scan_lines import Scans, latest_scans
from bkp.zfs_health.values import ratio

if TYPE_CHECKING:
    from datetime import datetime

_STATES: dict[str, ScanState] = {
    "SCANNING": "in progress",
    "ERRORSCRUBBING": "in progress",
    "ACTIVE": "in progress",
    "FINISHED": "finished",
    "COMPLETE": "finished",
    "CANCELED": "canceled",
}
_SLOWEST_FORETOLD = 10 * 1024 * 1024  # bytes a second: below it zpool foretells no end
_SIZES = ("processed", "examined", "issued", "to_examine")
_REBUILT_SIZES = ("rebuilt", "scanned", "issued", "to_scan")


def read_scan_stats(stats: Any, now: datetime | None, *, whole: bool) -> Scans:
    """Return the scans that the object tells of; `whole`: if it is absent, no scan is on record."""
    scrubs: list[Scan] = []
    resilvers: list[Scan] = []
    error_scrubs: list[Scan] = []
    unread = not whole
    if isinstance(stats, dict):
        function = stats.get("function", "NONE")
        if function == "SCRUB":
            scrubs.append(_read_scan(stats, now, pausable=True))
        elif function == "RESILVER":
            resilvers.append(_read_scan(stats, now, pausable=False))
        elif function != "NONE":
            unread = True
        if stats.get("err_scrub_func") == "ERRORSCRUB":
            error_scrubs.append(_read_error_scrub(stats))
        rebuilds = stats.get("rebuild_stats")
        resilvers += [
            _read_rebuild(name, each)
            for name, each in (rebuilds.items() if isinstance(rebuilds, dict) else ())
            if isinstance(each, dict)
        ]
    return latest_scans(scrubs, resilvers, error_scrubs, unread=unread)


def _read_scan(stats: Item, now: datetime | None, *, pausable: bool) -> Scan:
    state = _state(stats, "state")
    paused_at = moment(stats, "scrub_pause") if pausable else None
    if state == "in progress" and paused_at:
        state = "paused"
    ended, running = state in {"finished", "canceled"}, state in {"in progress", "paused"}
    start, end = moment(stats, "start_time"), moment(stats, "end_time") if ended else None
    total, skipped, issued = (integer(stats, key) for key in ("to_examine", "skipped", "issued"))
    left = total - (skipped or 0) if total is not None else None
    return Scan(
        state=state,
        start=start,
        end=end,
        paused_at=paused_at if state == "paused" else None,
        duration=_seconds(start, end),
        errors=integer(stats, "errors"),
        repaired=integer(stats, "processed"),
        scanned=integer(stats, "examined"),
        issued=issued,
        total=total,
        progress=ratio(issued, left) if running and left is not None and left > 0 else None,
        time_left=_time_left(stats, left, issued, now) if state == "in progress" and now else None,
        rounded=any(is_scaled(stats, key) for key in _SIZES),
    )


def _time_left(stats: Item, whole: int | None, issued: int | None, now: datetime) -> int | None:
    """Return the seconds that the scan still takes at the rate of this pass, as zpool foretells them for text."""
    began, paused, done = moment(stats, "pass_start"), integer(stats, "scrub_spent_paused"), "issued_bytes_per_scan"
    issued_now = integer(stats, done)
    if began is None or whole is None or not issued or issued_now is None or whole < issued:
        return None
    rate = issued_now // max(int((now - began).total_seconds()) - (paused or 0), 1)
    return (whole - issued) // rate if rate >= _SLOWEST_FORETOLD else None


def _read_error_scrub(stats: Item) -> Scan:
    state = _state(stats, "err_scrub_state")
    paused_at = moment(stats, "err_scrub_pause")
    if state == "in progress" and paused_at:
        state = "paused"
    ended = state in {"finished", "canceled"}
    start, end = moment(stats, "err_scrub_start_time"), moment(stats, "err_scrub_end_time") if ended else None
    done, waiting = integer(stats, "err_scrub_examined"), integer(stats, "err_scrub_to_examine")
    running = not ended and done is not None and waiting is not None
    return Scan(
        state=state,
        start=start,
        end=end,
        paused_at=paused_at if state == "paused" else None,
        duration=_seconds(start, end),
        progress=ratio(done, (done or 0) + (waiting or 0)) if running else None,
    )


def _read_rebuild(name: str, stats: Item) -> Scan:
    state = _state(stats, "state")
    running = state == "in progress"
    nanoseconds = integer(stats, "scan_time") if state == "finished" and not is_scaled(stats, "scan_time") else None
    repaired, scanned, issued, total = (integer(stats, key) for key in _REBUILT_SIZES)
    return Scan(
        state=state,
        vdev=text_of(stats, "name") or name,
        start=moment(stats, "start_time"),
        end=None if running else moment(stats, "end_time"),
        duration=None if nanoseconds is None else nanoseconds // 1_000_000_000,
        errors=integer(stats, "errors"),
        repaired=repaired,
        scanned=scanned,
        issued=issued,
        total=total,
        progress=ratio(scanned, total) if running else None,
        rounded=any(is_scaled(stats, key) for key in _REBUILT_SIZES),
    )


def _state(stats: Item, key: str) -> ScanState:
    return _STATES.get(text_of(stats, key) or "", "unknown")


def _seconds(start: datetime | None, end: datetime | None) -> int | None:
    return int((end - start).total_seconds()) if start and end and end >= start else None
