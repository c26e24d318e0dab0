"""What the kernel says of its clock: whether a time service has set it since the start (adjtimex(2))."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path

_UNSYNCHRONISED = 0x40  # STA_UNSYNC
_TIMESYNCD = Path("/run/systemd/timesync/synchronized")  # systemd-timesyncd.service(8)


class _Timex(ctypes.Structure):
    """The beginning of `struct timex`; the rest is room for what the kernel writes behind it."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def synchronised() -> bool | None:
    """Return whether the clock is synchronised; None where the kernel may not be asked. Nothing is changed."""
    asked = _Timex(modes=0)
    try:
        answer = ctypes.CDLL(None).adjtimex(ctypes.byref(asked))
    except (OSError, AttributeError, MemoryError):
        answer = -1
    if answer >= 0:
        return not asked.status & _UNSYNCHRONISED
    return True if _TIMESYNCD.exists() else None


def seconds_since_start() -> float:
    """Return how long ago the host was started, sleep counted, whatever its clock says (clock_gettime(2))."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
