"""Whether a recorded process still runs: its pid, start ticks and boot id together never recur (proc(5))."""

from __future__ import annotations

import os
from pathlib import Path

from bkp.state.records import Process

PROC = Path("/proc")
_START_TIME_FIELD = 22 - 3  # fields after the command's closing parenthesis begin with number 3


def boot_id(proc: Path = PROC) -> str:
    """Return the kernel's id of this boot (random(4))."""
    return (proc / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def this_process(proc: Path = PROC) -> Process:
    """Return the identity of the calling process."""
    pid = os.getpid()
    ticks = _started_ticks(pid, proc)
    return Process(pid=pid, started_ticks=ticks or 0, boot_id=boot_id(proc))


def is_alive(process: Process, proc: Path = PROC) -> bool | None:
    """Return whether that very process still runs; None where /proc does not tell.

    An unprivileged reader may see its own processes alone (proc(5), `hidepid`; `ProtectProc=` of a systemd unit). What
    it cannot see is not known to be dead: only where process 1 shows is an absent one gone.
    """
    try:
        if boot_id(proc) != process.boot_id:
            return False
        ticks = _started_ticks(process.pid, proc)
    except (OSError, ValueError, IndexError):
        return None
    if ticks is None:
        return False if (proc / "1").exists() else None
    return ticks == process.started_ticks


def _started_ticks(pid: int, proc: Path) -> int | None:
    """Return when the process started, in clock ticks since boot; None if there is none, or only its corpse."""
    try:
        text = (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    if fields[0] in {"Z", "X", "x"}:  # a zombie does no more work
        return None
    return int(fields[_START_TIME_FIELD])
