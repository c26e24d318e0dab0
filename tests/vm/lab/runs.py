"""Folders of running machines, and the sweep of what a killed session left behind.

A session holds a lock (flock) on each of its machines' folders; the lock ends with the session, however that ends. Only
then is the folder anybody else's to clean, and only a process whose command line names that folder's pid file is ended.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import LabError
from .locks import Hold, exclusive, try_lock

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from .paths import Lab

PIDFILE = "pid"
KEPT = "kept"
OWNER = "owner"
_END_LIMIT = 120.0


def claim(where: Lab, name: str) -> tuple[Path, Hold]:
    """Make a folder for one machine and lock it for this process."""
    with _no_sweep(where):
        folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=where.runs))
        hold = try_lock(folder / OWNER)
    if hold is None:
        raise LabError(f"{folder} was taken by somebody else the moment it was made")
    return folder, hold


def _no_sweep(where: Lab) -> AbstractContextManager[None]:
    """Keep others from sweeping: a folder that was just made is nobody's until it is locked."""
    return exclusive(where.runs.parent / "runs.lock", waiting=lambda _: None)


def process_of(folder: Path) -> int | None:
    """Return the process id of the QEMU that runs in this folder, or None.

    A process id alone proves nothing, for ids are used again: the command line has to name this very pid file.
    """
    pidfile = folder / PIDFILE
    try:
        pid = int(pidfile.read_text("ascii"))
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if os.fsencode(pidfile) in arguments else None


def end(folder: Path) -> None:
    """End the QEMU of this folder at once, and wait until it is gone."""
    deadline = time.monotonic() + _END_LIMIT
    while (pid := process_of(folder)) is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise LabError(f"process {pid} of {folder} does not end: look at it with `ps -fp {pid}`")
        time.sleep(0.05)


def remove(folder: Path, hold: Hold) -> None:
    """Remove a machine's folder, whose QEMU has ended, and give its lock back."""
    shutil.rmtree(folder, ignore_errors=True)
    hold.release()


def sweep(where: Lab) -> list[str]:
    """Clean up after sessions that died; return the names of the folders removed. Kept machines that run stay."""
    with _no_sweep(where):
        return _sweep(where)


def _sweep(where: Lab) -> list[str]:
    removed = []
    for folder in sorted(where.runs.iterdir()):
        if not folder.is_dir():
            continue
        hold = try_lock(folder / OWNER)
        if hold is None:
            continue
        if (folder / KEPT).exists() and process_of(folder) is not None:
            hold.release()
            continue
        end(folder)
        remove(folder, hold)
        removed.append(folder.name)
    return removed
