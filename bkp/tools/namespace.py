"""A private mount namespace for this process and its children (mount_namespaces(7)).

What is mounted inside is seen by nobody else, and is gone when the last process inside is, even after SIGKILL.
"""

from __future__ import annotations

import ctypes
import errno
import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bkp.config.places import is_below
from bkp.errors import StepFailedError
from bkp.tools.cleanup import to_the_end
from bkp.tools.mounts import mount_table, parse_mountinfo

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLONE_NEWNS = 0x00020000
_MS_REC, _MS_PRIVATE = 0x4000, 1 << 18
_MS_RDONLY, _MS_REMOUNT, _MS_BIND = 1, 32, 4096
_THREADS_END_SECONDS = 10.0


@contextmanager
def private_mounts() -> Iterator[None]:
    """Put the calling thread into a mount namespace of its own for as long as the block lasts.

    Processes and threads started inside are inside, too. Threads must have ended before the block does: setns(2)
    refuses a thread that shares its working folder with another, and the process would stay inside to its end.
    Raise `StepFailedError` without CAP_SYS_ADMIN and CAP_SYS_CHROOT (setns(2)).
    """
    libc = ctypes.CDLL(None, use_errno=True)
    outside = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    folder = os.open(".", os.O_PATH | os.O_CLOEXEC)
    try:
        _call(libc.unshare(_CLONE_NEWNS), "unshare")
        try:
            # systemd makes / shared: without this every mount would be seen outside
            _call(libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None), "make mounts private")
            yield
        finally:
            to_the_end(lambda: _leave(libc, outside, folder))
    finally:
        os.close(outside)
        os.close(folder)


def make_folder(path: str) -> None:
    """Make a folder and those above it (0700), also where a unit's sandbox has made its file system read-only.

    To be called inside `private_mounts`: nobody else sees that mount become writable for a moment. Raise `OSError`
    where the file system itself is read-only, as a snapshot is.
    """
    try:
        Path(path).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        if exc.errno != errno.EROFS:
            raise
    else:
        return
    above = [mount for mount in parse_mountinfo(mount_table()) if is_below(path, mount.point)]
    nearest = max((mount.point for mount in above), key=len)
    if any("@" in mount.source for mount in above if mount.point == nearest):  # nobody can write to a snapshot
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
    point = os.fsencode(nearest)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(None, point, None, _MS_REMOUNT | _MS_BIND, None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    try:
        Path(path).mkdir(mode=0o700, parents=True, exist_ok=True)
    finally:
        libc.mount(None, point, None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY, None)


def _leave(libc: ctypes.CDLL, outside: int, folder: int) -> None:
    """Go back. A thread that was joined has ended for Python, but for the kernel perhaps only a moment later."""
    deadline = time.monotonic() + _THREADS_END_SECONDS
    while libc.setns(outside, _CLONE_NEWNS) != 0:
        if ctypes.get_errno() != errno.EINVAL:
            _call(-1, "setns")
        if time.monotonic() >= deadline:
            raise StepFailedError(
                "the private mount namespace cannot be left: a thread that began inside is still at work",
                remedy="this is a defect of bkp; the snapshot is removed by the next run",
            )
        time.sleep(0.01)
    os.fchdir(folder)  # setns(2) moves to the root folder


def _call(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise StepFailedError(
            f"the private mount namespace failed ({what}): {os.strerror(number)}",
            remedy="run it as root; a unit's CapabilityBoundingSet must hold CAP_SYS_ADMIN and CAP_SYS_CHROOT",
        )
