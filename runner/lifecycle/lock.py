"""One run at a time on a target: a lock that the kernel drops when its holder dies, and that says who holds it.

Children that work on the target keep the descriptor open (flock(2) locks follow it), so that the lock of a killed run
is held until its last borg is gone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from bkp import decoding
from bkp.errors import LockHeldError, StateError
from bkp.liveness import is_alive
from bkp.state.files import make_dir
from bkp.state.records import LockHolder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bkp.jobs import Kind

POLL_SECONDS = 0.2
_MAX_BYTES = 64 << 10
RECONCILE_PATIENCE = 60.0


@contextmanager
def target_lock(
    folder: Path,
    kind: Kind,
    holder: LockHolder,
    *,
    wait: float,
    on_wait: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[int]:
    """Hold the lock of the target of that kind and name; yield its descriptor.

    Wait up to `wait` seconds, telling `on_wait` once who holds it; raise `LockHeldError` when the time is over.
    """
    path = lock_path(folder, kind, holder.target)
    descriptor = _open(path)
    try:
        _acquire(descriptor, path, wait, on_wait, sleep)
        _write(descriptor, msgspec.json.encode(holder))
        try:
            yield descriptor
        finally:
            _write(descriptor, b"")
    finally:
        os.close(descriptor)


def lock_path(folder: Path, kind: Kind, target: str) -> Path:
    """Return the lock file of a target."""
    return folder / f"{kind}-{target}.lock"


@contextmanager
def reconcile_lock(folder: Path) -> Iterator[None]:
    """Hold the lock under which dead runs are given their end, so that two starts at once do not do it twice.

    Raise `StateError` if it cannot be had: it is held for milliseconds only.
    """
    descriptor = _open(folder / ".reconcile.lock")
    try:
        _acquire(descriptor, folder, RECONCILE_PATIENCE, lambda _: None, time.sleep)
        yield
    except LockHeldError:
        raise StateError(
            f"another program has held {folder}/.reconcile.lock for {RECONCILE_PATIENCE:.0f}s",
            remedy="find it with `lsof` and end it",
        ) from None
    finally:
        os.close(descriptor)


def read_holder(path: Path) -> LockHolder | None:
    """Return what the lock file says of its holder; None if it says nothing."""
    try:
        with path.open("rb") as handle:
            return decoding.decode(handle.read(_MAX_BYTES), LockHolder)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _open(path: Path) -> int:
    try:
        make_dir(path.parent)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    except OSError as exc:
        raise StateError(
            f"cannot open lock file {path}: {exc.strerror}", remedy="run it as root, or set paths.lock"
        ) from exc


def _acquire(
    descriptor: int, path: Path, wait: float, on_wait: Callable[[str], None], sleep: Callable[[float], None]
) -> None:
    deadline, told = time.monotonic() + wait, False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = describe(read_holder(path))
            if time.monotonic() >= deadline:
                raise LockHeldError(
                    f"another run holds the lock: {who}", remedy="wait for it, or raise lock_wait"
                ) from None
            if not told:
                on_wait(f"waiting up to {wait:.0f}s for the lock: {who}")
                told = True
            sleep(POLL_SECONDS)
        else:
            return


def describe(holder: LockHolder | None) -> str:
    """Return one clause on who holds a lock, since when, and whether that process still lives."""
    if holder is None:
        return "a run that has not said who it is"
    since = holder.started_at.strftime("%Y-%m-%d %H:%M:%S UTC")
    clause = f"{holder.job} on {holder.target}, pid {holder.process.pid}, since {since}"
    if is_alive(holder.process) is False:
        return f"{clause} (that process is dead; a program it started is still at work)"
    return clause


def _write(descriptor: int, content: bytes) -> None:
    with contextlib.suppress(OSError):  # who holds it is a courtesy; the lock itself is the kernel's
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, content, 0)
