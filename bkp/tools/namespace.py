"""A private mount namespace for this process and its children (mount_namespaces(7)).

What is mounted inside is seen by nobody else, and is gone when the last process inside is, even after SIGKILL.
"""

from __future__ import annotations

import ctypes
import errno
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bkp.errors import StepFailedError
from bkp.tools.cleanup import to_the_end

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLONE_NEWNS = 0x00020000
_MS_REC, _MS_PRIVATE = 0x4000, 1 << 18
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
