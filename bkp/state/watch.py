"""What `bkp-run watch` last saw, and what it has told of it.

paths.state/watch.json    replaced by each look
paths.lock/watch.json     the same, where the state directory is full, read-only or not there
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from bkp.errors import StateError
from bkp.state.fields import Count, Record, UtcTime
from bkp.state.files import read_record, write_record
from bkp.state.reading import Readable

if TYPE_CHECKING:
    from datetime import datetime

    from bkp.config.model import Config
    from bkp.state.reading import Reading

WATCH_EVERY = timedelta(minutes=15)
LOOKS_MISSED = 3
_NAME = "watch.json"


class Known(Record, frozen=True, kw_only=True):
    """One thing that is wrong, over time. `key` tells it from others; `count` is how many sentences there were.

    `seen` are the times when it came, as far as they lie in the last day: what comes often is flapping, and `joined`
    says that this was told. `told_at` is when somebody last heard of it, and `told_severity` and `told_count` what was
    said then. `gone_at`: it is not there any more; `closed`: and that was told. It is remembered for a day all the
    same.
    """

    key: str
    kind: str
    object: str
    severity: Literal["critical", "warning"]
    sentence: str
    remedy: str
    since: UtcTime
    count: Count = 1
    seen: tuple[UtcTime, ...] = ()
    joined: bool = False
    told_at: UtcTime | None = None
    told_kind: str | None = None
    told_severity: Literal["critical", "warning"] | None = None
    told_count: Count = 0
    gone_at: UtcTime | None = None
    closed: bool = False


class WatchRecord(Record, frozen=True, kw_only=True):
    """One look: when, and what is known after it.

    `mailed_at` is when the last mail was written, `pinged_at` when a service outside last took the watch's heartbeat.
    """

    schema: Literal[1] = 1
    host: str
    looked_at: UtcTime
    mailed_at: UtcTime | None = None
    pinged_at: UtcTime | None = None
    known: tuple[Known, ...] = ()


def read_watch(config: Config) -> Reading[WatchRecord]:
    """Return the newest record, or why there is none. Never raises."""
    readings = [read_record(path, WatchRecord) for path in watch_paths(config)]
    found = [each for each in readings if isinstance(each, Readable)]
    return max(found, key=lambda each: each.value.looked_at) if found else readings[0]


def write_watch(config: Config, record: WatchRecord) -> None:
    """Write the record, but make no state directory. Raise `StateError` if neither folder takes it."""
    state, lock = watch_paths(config)
    if state.parent.is_dir():
        try:
            write_record(state, record, durable=False)
        except StateError:
            write_record(lock, record, durable=False)
        else:
            lock.unlink(missing_ok=True)
    else:
        write_record(lock, record, durable=False)


def note_ping(config: Config, at: datetime) -> None:
    """Note that a service outside has taken the heartbeat. Raise `StateError` if that cannot be written."""
    reading = read_watch(config)
    if isinstance(reading, Readable):
        write_watch(config, msgspec.structs.replace(reading.value, pinged_at=at))


def watch_paths(config: Config) -> tuple[Path, Path]:
    """Return where the record lies: in the state directory or beside the locks."""
    return Path(config.paths.state, _NAME), Path(config.paths.lock, _NAME)
