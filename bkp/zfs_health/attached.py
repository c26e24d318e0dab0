"""A file that somebody attached: the output of `zpool status` as text or as JSON."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from bkp.zfs_health.from_json import read_status_json
from bkp.zfs_health.from_text import read_status
from bkp.zfs_health.model import Reading

if TYPE_CHECKING:
    from datetime import datetime

MAX_BYTES = 16 << 20


def read_attached(data: bytes, *, now: datetime | None = None) -> Reading:
    """Return the pools that an output tells of, whichever form it has. Whatever the bytes are, nothing is raised."""
    if len(data) > MAX_BYTES:
        return Reading(problem=f"larger than {MAX_BYTES >> 20} MiB: no output of zpool status is")
    # Windows' shells write UTF-16, with a mark
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = data.decode("utf-16" if wide else "utf-8-sig", "replace").replace("\r\n", "\n")
    if text.lstrip().startswith(("{", "[")):
        return read_status_json(text, now=now)
    return read_status(text)
