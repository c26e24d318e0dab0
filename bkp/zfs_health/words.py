"""Words of ZFS that both readers take alike: message ids, suspension, and what JSON says in other words than text."""

from __future__ import annotations

import re
from typing import Final

_MESSAGE_ID = re.compile(r"ZFS-8000-[0-9A-Z]{2}")
# libzfs_status.c: the pool waits, goes on with failing I/O, or lost its multihost lease
_SUSPENDED_IDS = frozenset({"ZFS-8000-HC", "ZFS-8000-JQ", "ZFS-8000-MM"})
_SUSPENDED_SENTENCES = ("faulted in response to IO failures", "pool is suspended", "pool I/O is currently suspended")

# zpool_main.c, vdev_aux_str: the remark that the text prints for it
REMARKS: Final = {
    "OPEN_FAILED": "cannot open",
    "CORRUPT_DATA": "corrupted data",
    "NO_REPLICAS": "insufficient replicas",
    "BAD_GUID_SUM": "missing device",
    "TOO_SMALL": "corrupted data",
    "BAD_LABEL": "invalid label",
    "VERSION_NEWER": "newer version",
    "VERSION_OLDER": "corrupted data",
    "UNSUP_FEAT": "unsupported feature(s)",
    "SPARED": "currently in use",
    "ERR_EXCEEDED": "too many errors",
    "IO_FAILURE": "experienced I/O failures",
    "BAD_LOG": "bad intent log",
    "EXTERNAL": "external device fault",
    "EXTERNAL_PERSIST": "external device fault",
    "SPLIT_POOL": "split into new pool",
    "ACTIVE": "currently in use",
    "CHILDREN_OFFLINE": "all children offline",
    "ASHIFT_TOO_BIG": "unsupported minimum blocksize",
}


def message_id_in(text: str) -> str | None:
    """Return the id of ZFS's message at the end of a text, such as the address of its page; None for a broken one."""
    last = text.strip().rpartition("/")[2]
    return last if _MESSAGE_ID.fullmatch(last) else None


def tells_suspension(text: str, message_id: str | None = None) -> bool:
    """Return whether a sentence or message id of ZFS means that the pool is suspended, whatever its states say."""
    return message_id in _SUSPENDED_IDS or any(sentence in text for sentence in _SUSPENDED_SENTENCES)


def state_word(state: str, remark: str | None) -> str:
    """Return the word that text prints for a vdev's state in JSON; `remark` is JSON's `aux`."""
    if state == "CANT_OPEN":
        special = {"CORRUPT_DATA": "FAULTED", "BAD_LOG": "FAULTED", "SPLIT_POOL": "SPLIT"}
        return special.get(remark or "", "UNAVAIL")
    # HEALTHY is the manual's word for what the program calls ONLINE
    return {"CLOSED": "OFFLINE", "HEALTHY": "ONLINE"}.get(state, state)
