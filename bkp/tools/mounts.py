"""What is mounted where, from /proc/self/mountinfo (proc(5)), and what is to be, from /etc/fstab (fstab(5))."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

MOUNTINFO = "/proc/self/mountinfo"
FSTAB = "/etc/fstab"


@dataclass(frozen=True)
class Mount:
    """One line: where, what (a device, a dataset), of which kind, and MAJOR:MINOR as stat(2) says it of its files.

    `whole` is False where only a folder of the file system is mounted (a bind mount).
    """

    point: str
    source: str
    kind: str
    device: str
    whole: bool


def mount_table(path: str | Path = MOUNTINFO) -> str:
    """Return the table of mounts of this process's namespace; names that are no UTF-8 survive in it."""
    return Path(path).read_bytes().decode("utf-8", "surrogateescape")


def parse_mountinfo(text: str) -> list[Mount]:
    """Return the mounts in their order; lines of another form are passed over."""
    found = []
    for line in text.split("\n"):
        before, separator, after = line.partition(" - ")
        fields, rest = before.split(" "), after.split(" ")
        if separator and len(fields) > 4 and len(rest) > 1:
            found.append(Mount(_unescape(fields[4]), _unescape(rest[1]), rest[0], fields[2], fields[3] == "/"))
    return found


def parse_fstab(text: str) -> list[str]:
    """Return where file systems are to be mounted at each start; those that are mounted on demand are none of them."""
    found = []
    for fields in (line.split() for line in text.split("\n")):
        if len(fields) > 3 and not fields[0].startswith("#") and fields[1].startswith("/"):
            options = fields[3].split(",")
            if "noauto" not in options and "x-systemd.automount" not in options:
                found.append(_unescape(fields[1]))
    return found


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), text)
