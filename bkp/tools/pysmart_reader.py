"""pySMART's reading of one disk, printed as JSON: `python -m bkp.tools.pysmart_reader DEVICE INTERFACE`.

It is a program of its own, because pySMART waits for smartctl for as long as that hangs, keeps its options in an
object all share, and installs a logger class for the whole process. Start it under a time limit, and kill its process
group at the end of that, smartctl included. Start it only for a disk that smartctl found awake: pySMART asks some
questions without `-n standby`, and shows a sleeping disk as an empty one.

It always exits with 0 and prints one `SecondReading`; whatever goes wrong is its `error`.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import msgspec

from bkp.disk_health.second import SecondAttribute, SecondReading, SecondTest
from bkp.disk_health.words import clean

MAX_ROWS = 256


def read(device: str, interface: str) -> SecondReading:
    """Return what pySMART says of a device, given as `/dev/…`, behind an interface, given as smartctl names it."""
    if (why := misread(device)) is not None:
        return SecondReading(error=why)
    try:
        from pySMART import Device

        return _reading(Device(device, interface=interface, smart_options=["-n", "standby"]))
    except Exception as error:  # noqa: BLE001 - pySMART raises whatever a line that it does not expect leads to
        return SecondReading(error=clean(f"{type(error).__name__}: {error}"))


def misread(device: str) -> str | None:
    """Return why pySMART must not be given this path; None if it may."""
    # it cuts its own prefix and FreeBSD's name for NVMe out of any place in the path
    if not device.startswith("/dev/") or "/dev/" in device[1:] or "nvd" in device:
        return f"pySMART would ask for another device than {clean(device)}"
    return None


def _reading(disk: Any) -> SecondReading:
    rows = [row for row in disk.attributes if row is not None][:MAX_ROWS]
    if disk.assessment is None and not disk.serial and not rows:
        return SecondReading(error="pySMART read nothing")
    return SecondReading(
        assessment=disk.assessment,
        model=_text(disk.model),
        serial=_text(disk.serial),
        attributes=tuple(
            SecondAttribute(
                id=int(row.num),
                name=str(row.name),
                value=str(row.value),
                worst=str(row.worst),
                threshold="---" if row.thresh is None else str(row.thresh),
                failed=str(row.when_failed),
                raw=clean(str(row.raw)),
            )
            for row in rows
        ),
        tests=tuple(
            SecondTest(kind=clean(str(test.type)), status=clean(str(test.status)), hours=clean(str(test.hours)))
            for test in disk.tests[:MAX_ROWS]
        ),
    )


def _text(value: object) -> str | None:
    return None if value is None else clean(str(value)) or None


def main() -> None:
    """Read the device that the two arguments name, and print the reading."""
    # LC_ALL wins over the LANG that pySMART sets, and decides how smartctl sets off thousands
    os.environ["LC_ALL"] = "C"
    if len(sys.argv) == 3:
        reading = read(sys.argv[1], sys.argv[2])
    else:
        reading = SecondReading(error="called without a device and its interface")
    sys.stdout.buffer.write(msgspec.json.encode(reading) + b"\n")


if __name__ == "__main__":
    main()
