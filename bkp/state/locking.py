"""flock(2) with a limit: whoever may read a file may hold its lock, which must not hang a backup for ever."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import TYPE_CHECKING

from bkp.errors import StateError
from bkp.state.files import make_dir

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_POLL_SECONDS = 0.02


def lock_within(descriptor: int, operation: int, seconds: float) -> bool:
    """Take the lock (`fcntl.LOCK_EX` or `LOCK_SH`), trying for `seconds`; return whether it was had."""
    last = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= last:
                return False
            time.sleep(_POLL_SECONDS)
        else:
            return True


@contextlib.contextmanager
def held(path: Path, seconds: float) -> Iterator[None]:
    """Hold the lock of a file that is there for this alone. Raise `StateError` if it cannot be had in time."""
    try:
        make_dir(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as exc:
        raise StateError(
            f"cannot open lock file {path}: {exc.strerror}", remedy="run it as root, or set paths.lock"
        ) from exc
    try:
        if not lock_within(descriptor, fcntl.LOCK_EX, seconds):
            raise StateError(
                f"another program has locked {path} for {seconds:.0f} seconds", remedy=f"find it with `lsof {path}`"
            )
        yield
    finally:
        os.close(descriptor)
