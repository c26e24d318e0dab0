"""Time comes in from outside: a clock is a function that returns an aware UTC datetime."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Clock = Callable[[], datetime]

LOCALTIME = Path("/etc/localtime")
CLOCK_TOLERANCE = timedelta(minutes=5)  # two clocks may differ so far before a date counts as one of the future


def utc_now() -> datetime:
    """Return the current time in UTC, whole microseconds."""
    return datetime.now(UTC)


def local_zone(localtime: Path = LOCALTIME, environ: dict[str, str] | None = None) -> tzinfo:
    """Return the host's time zone with its daylight-saving rules: TZ if set, else /etc/localtime, else UTC.

    systemd reads calendar expressions in this zone, so deadlines must too (tzset(3), localtime(5)). As in the C
    library, an empty TZ means UTC, and so does one that names no zone; of its forms a zone's name and a file's
    absolute path are known, rules written out (`CET-1CEST`) are not.
    """
    name = (os.environ if environ is None else environ).get("TZ")
    if name is None:
        return _zone_in(localtime) or UTC
    name = name.removeprefix(":")
    if name.startswith("/"):
        return _zone_in(Path(name)) or UTC
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError, struct.error):
        return UTC


def _zone_in(path: Path) -> tzinfo | None:
    try:
        with path.open("rb") as handle:
            parts = path.resolve().parts
            key = "/".join(parts[parts.index("zoneinfo") + 1 :]) if "zoneinfo" in parts else "local"
            return ZoneInfo.from_file(handle, key=key)
    except (OSError, ValueError, IndexError, struct.error):  # a truncated file fails where the parser happens to be
        return None
