"""Whose a snapshot is: marks that only this host's runs leave, and the proof that such a run is dead."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from bkp.errors import StepFailedError
from bkp.state.records import Process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bkp.tools.zfs.replies import Mark

PREFIX = "bkp-"
RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")  # zfs destroy gives a meaning to % and the comma
_NUMBER = re.compile(r"[0-9]{1,18}")
RUN, HOST, BOOT, PID, TICKS = KEYS = ("bkp:run", "bkp:host", "bkp:boot", "bkp:pid", "bkp:ticks")


def host_mark(machine_id: Path = Path("/etc/machine-id")) -> str:
    """Return a mark of this machine; a hash, because the id itself is not for others (machine-id(5)).

    Raise `StepFailedError` where the machine has none: snapshots could not be told from those of others.
    """
    try:
        own = machine_id.read_bytes().strip()
    except OSError as exc:
        raise StepFailedError(
            f"{machine_id} cannot be read: {exc.strerror}", remedy="run systemd-machine-id-setup"
        ) from None
    return hashlib.sha256(b"bkp" + own).hexdigest()[:16]


def snapshot_name(run_id: str) -> str:
    """Return the name of a run's snapshot."""
    return PREFIX + run_id


def marks_of(run_id: str, process: Process, host: str) -> dict[str, str]:
    """Return the user properties that a run's snapshot carries."""
    return {
        RUN: run_id,
        HOST: host,
        BOOT: process.boot_id,
        PID: str(process.pid),
        TICKS: str(process.started_ticks),
    }


def tag_of(run_id: str, process: Process, host: str) -> str:
    """Return the tag of a run's hold on snapshots that are not its own: it says whose it is, as the marks do."""
    return f"bkp:{run_id}:{host}:{process.boot_id}:{process.pid}:{process.started_ticks}"


def is_tag(tag: str) -> bool:
    """Return whether a hold of that tag is a run's."""
    words = tag.split(":")
    return len(words) == 6 and words[0] == "bkp"


def dead_holds(
    holds: Iterable[tuple[str, str]], host: str, is_alive: Callable[[Process], bool | None]
) -> dict[str, list[str]]:
    """Return the tags of holds that are provably ours and whose run is provably dead, with their snapshots."""
    found: dict[str, list[str]] = {}
    for snapshot, tag in holds:
        words = tag.split(":")
        if not is_tag(tag) or words[2] != host or not RUN_ID.fullmatch(words[1]):
            continue
        boot, pid, ticks = words[3:]
        if boot and _NUMBER.fullmatch(pid) and _NUMBER.fullmatch(ticks):
            process = Process(pid=int(pid), started_ticks=int(ticks), boot_id=boot)
            if is_alive(process) is False:
                found.setdefault(tag, []).append(snapshot)
    return found


def dead_snapshots(marks: Iterable[Mark], host: str, is_alive: Callable[[Process], bool | None]) -> list[str]:
    """Return the run ids of snapshots that are provably ours and whose run is provably dead.

    A snapshot that merely carries our prefix, was received from elsewhere, belongs to another host, lacks a mark, or
    whose run may still live is left alone.
    """
    local: dict[str, dict[str, str]] = {}
    for mark in marks:
        if mark.source == "local":
            local.setdefault(mark.snapshot, {})[mark.key] = mark.value
    found = []
    for snapshot, values in local.items():
        if set(values) != set(KEYS) or values[HOST] != host:
            continue
        if not RUN_ID.fullmatch(values[RUN]) or snapshot.partition("@")[2] != snapshot_name(values[RUN]):
            continue
        if not (_NUMBER.fullmatch(values[PID]) and _NUMBER.fullmatch(values[TICKS]) and values[BOOT]):
            continue
        process = Process(pid=int(values[PID]), started_ticks=int(values[TICKS]), boot_id=values[BOOT])
        if is_alive(process) is False:
            found.append(values[RUN])
    return found
