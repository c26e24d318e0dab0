"""Reads the `scan:`, `remove:`, `expand:` and `checkpoint:` parts of `zpool status`, of ZFS 0.6 to 2.4.

A part is the text behind its label, with its further lines. What a part does not say stays unknown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bkp.zfs_health.model import Checkpoint, Scan, ScanState, Work, WorkState
from bkp.zfs_health.values import (
    DURATION,
    NUMBER,
    TIME,
    duration,
    is_exact_duration,
    is_rounded,
    number,
    time,
    time_before,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

Kind = Literal["scrub", "resilver", "error scrub"]

# An adjective may stand in front ("thorough scrub"); "error scrub" is a kind of its own, and is asked for first.
_ERROR_SCRUB = re.compile(r"error scrub |scrubbed [0-9]+ error blocks ")
_SCRUB = re.compile(r"(?:[a-z]+ )?scrub ")
_RESILVER = re.compile(r"resilver(?:ed)? (?:\((?P<vdev>[^()\n]+)\) )?")
_STATES: tuple[tuple[str, ScanState], ...] = (
    (r"[a-z ]*(?:\([^()\n]*\) )?in progress ", "in progress"),
    (r"[a-z ]*paused since ", "paused"),
    (r"[a-z ]*(?:\([^()\n]*\) )?(?:canceled on|stopped after) ", "canceled"),
    (r"[a-z ]*scrub (?:repaired|completed after) |resilvered |resilver completed after |scrubbed ", "finished"),
)
_PROGRESS = re.compile(r"(?<!\S)([0-9]{1,3})(?:[.,]([0-9]{1,2}))?% done")


@dataclass(frozen=True)
class Scans:
    """The last scan of each kind."""

    scrub: Scan
    resilver: Scan
    error_scrub: Scan


def read_scans(parts: Iterable[str], *, whole: bool) -> Scans:
    """Return the scans that the parts tell of.

    `whole`: all parts are there, so that no part means that no scan is on record.
    """
    found: dict[Kind, list[Scan]] = {"scrub": [], "resilver": [], "error scrub": []}
    unread = not whole
    for part in parts:
        if part.strip() == "none requested":
            continue
        kind, scan = _read_scan(part)
        if kind is None:
            unread = True
        else:
            found[kind].append(scan)
    return latest_scans(found["scrub"], found["resilver"], found["error scrub"], unread=unread)


def latest_scans(
    scrubs: Sequence[Scan], resilvers: Sequence[Scan], error_scrubs: Sequence[Scan], *, unread: bool = False
) -> Scans:
    """Return the one scan of each kind that matters; `unread`: there may be more than these."""
    told = bool(scrubs or resilvers or error_scrubs)
    absent = Scan(state="unknown" if unread else "not told" if told else "never")
    scrub, resilver, error_scrub = (
        max(scans, key=_weight, default=absent) for scans in (scrubs, resilvers, error_scrubs)
    )
    return Scans(scrub, resilver, error_scrub)


def _weight(scan: Scan) -> tuple[bool, float, int]:
    # one that runs before one that ended, then the last, then the one with more errors
    running = scan.state in {"in progress", "paused", "unknown"}
    return running, scan.end.timestamp() if scan.end else 0.0, scan.errors or 0


def _read_scan(part: str) -> tuple[Kind | None, Scan]:
    kind: Kind | None = None
    vdev = None
    if _ERROR_SCRUB.match(part):
        kind = "error scrub"
    elif _SCRUB.match(part):
        kind = "scrub"
    elif found := _RESILVER.match(part):
        kind, vdev = "resilver", found["vdev"]
    state: ScanState = next((state for pattern, state in _STATES if re.match(pattern, part)), "unknown")
    start, end, paused_at = _times(part, state)
    took = _first(rf"^[^\n]* (?:in|after) ({DURATION}) ", part) if state in {"finished", "canceled"} else None
    if start is None and end is not None and took is not None and is_exact_duration(took):
        start = time_before(end, duration(took) or 0)
    scanned, issued, total = _amounts(part)
    repaired = _first(rf"(?:repaired|resilvered(?: \([^()\n]*\))?) ({NUMBER}) in ", part) or _first(
        rf"(?<!\S)({NUMBER}) (?:repaired|resilvered),", part
    )
    sizes = (repaired, scanned, issued, total)
    return kind, Scan(
        state=state,
        vdev=vdev,
        start=start,
        end=end,
        paused_at=paused_at,
        duration=duration(took),
        errors=number(_first(r" with ([0-9]{1,20}) errors", part)),
        repaired=number(repaired),
        scanned=number(scanned),
        issued=number(issued),
        total=number(total),
        progress=_progress(part),
        time_left=duration(_first(rf", ({DURATION}) to go", part)),
        rounded=any(is_rounded(size) for size in sizes if size),
    )


def _times(part: str, state: ScanState) -> tuple[datetime | None, datetime | None, datetime | None]:
    """Return when it started, ended and was paused."""
    since = time(_first(rf" since ({TIME})(?:\n|$)", part))
    started = time(_first(rf" started on ({TIME})(?:\n|$)", part))
    end = time(_first(rf"^[^\n]* on ({TIME})(?:\n|$)", part)) if state in {"finished", "canceled"} else None
    return (started, end, since) if state == "paused" else (since, end, None)


def _amounts(part: str) -> tuple[str | None, str | None, str | None]:
    """Return what was scanned, issued, and is to be examined, as printed: by 2.2 and newer, 0.8 to 2.1, and older."""
    size = rf"(?<!\S)({NUMBER})"
    if pairs := re.search(rf"{size} / {size} scanned.*?, {size} / {NUMBER} issued", part):
        return pairs[1], pairs[3], pairs[2]
    if listed := re.search(rf"{size} scanned.*?, {size} issued.*?, {size} total", part):
        return listed[1], listed[2], listed[3]
    if old := re.search(rf"{size} scanned out of {size} ", part):
        return old[1], None, old[2]
    return None, None, None


def _progress(part: str) -> float | None:
    found = _PROGRESS.search(part)
    # 100.45 % and the like are printed when the pool shrank under the scan
    return min(round(float(f"{found[1]}.{found[2] or 0}") / 100, 6), 1.0) if found else None


def read_removal(part: str) -> Work:
    """Return what `remove:` tells of a vdev's removal."""
    state: WorkState = "unknown"
    if re.match(r"Removal of vdev [0-9]+ copied ", part):
        state = "finished"
    elif re.match(r"Removal of .* canceled on ", part):
        state = "canceled"
    elif " in progress since " in part:
        state = "in progress"
    vdev = _first(r"^(?:Removal|Evacuation) of (.+) (?:canceled on|in progress since) ", part)
    copied = _first(rf" copied ({NUMBER}) in ", part) or _first(rf"(?<!\S)({NUMBER}) copied out of ", part)
    return _work(part, state, vdev, copied, _first(rf" copied out of ({NUMBER}) ", part))


def read_expansion(part: str) -> Work:
    """Return what `expand:` tells of a raidz's expansion."""
    state: WorkState = "unknown"
    if part.startswith("expanded "):
        state = "finished"
    elif " in progress since " in part:
        state = "paused" if "paused for resilver" in part else "in progress"
    vdev = _first(r"^(?:expanded|expansion of) (.+?) (?:copied|in progress since) ", part)
    copied = _first(rf" copied ({NUMBER}) in ", part) or _first(rf"(?<!\S)({NUMBER}) / {NUMBER} copied ", part)
    return _work(part, state, vdev, copied, _first(rf" / ({NUMBER}) copied ", part))


def _work(part: str, state: WorkState, vdev: str | None, copied: str | None, total: str | None) -> Work:
    return Work(
        state=state,
        vdev=vdev,
        start=time(_first(rf" since ({TIME})(?:\n|$)", part)),
        end=time(_first(rf" on ({TIME})(?:\n|$)", part)),
        copied=number(copied),
        total=number(total),
        progress=_progress(part),
        rounded=any(is_rounded(size) for size in (copied, total) if size),
    )


def read_checkpoint(part: str) -> Checkpoint:
    """Return what `checkpoint:` tells."""
    if found := re.match(rf"created ({TIME}), consumes ({NUMBER})(?:\n|$)", part):
        return Checkpoint(state="exists", created=time(found[1]), size=number(found[2]), rounded=is_rounded(found[2]))
    if found := re.match(rf"discarding, ({NUMBER}) remaining", part):
        return Checkpoint(state="discarding", size=number(found[1]), rounded=is_rounded(found[1]))
    return Checkpoint(state="exists" if part.startswith("created ") else "unknown")


def _first(pattern: str, part: str) -> str | None:
    found = re.search(pattern, part)
    return found[1] if found else None
