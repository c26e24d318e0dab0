"""Starts a self-test through pySMART: `python -m bkp.tools.pysmart_tester DEVICE INTERFACE short|long`.

A program of its own, under a time limit, for the reasons that `bkp.tools.pysmart_reader` has; only for a disk that
smartctl found awake. It always exits with 0 and prints one `Started`; whatever goes wrong is its `error`.
"""

from __future__ import annotations

import os
import sys

import msgspec

from bkp.disk_health.words import clean
from bkp.tools.pysmart_reader import misread

KINDS = ("short", "long")


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the start. `code` is pySMART's: 0 begun, 1 another runs, 2 not supported, 3 not begun."""

    code: int | None = None
    said: str = ""
    error: str | None = None


def start(device: str, interface: str, kind: str) -> Started:
    """Start a self-test of a device, given as `/dev/…`, behind an interface, given as smartctl names it."""
    if (why := misread(device)) is not None:
        return Started(error=why)
    try:
        from pySMART import Device

        code, said, _ = Device(device, interface=interface, smart_options=["-n", "standby"]).run_selftest(kind)
        return Started(code=int(code), said=clean(str(said)))
    except Exception as error:  # noqa: BLE001 - pySMART raises whatever a line that it does not expect leads to
        return Started(error=clean(f"{type(error).__name__}: {error}"))


def main() -> None:
    """Start the test that the three arguments name, and print what became of it."""
    os.environ["LC_ALL"] = "C"  # it wins over the LANG that pySMART sets
    if len(sys.argv) == 4 and sys.argv[3] in KINDS:
        started = start(*sys.argv[1:])
    else:
        started = Started(error="called without a device, its interface and a kind of test")
    sys.stdout.buffer.write(msgspec.json.encode(started) + b"\n")


if __name__ == "__main__":
    main()
