"""Locks that a borg left behind which is provably gone, as after a power cut.

borg removes such a lock itself if no process has the holder's number (borg's `process_alive`). After a reboot some
other program may have that number, and then borg waits for it, night after night. Whether a process is a borg can
be told, though: see `proc(5)`, cmdline.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bkp import decoding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bkp.config.repositories import Repository

_NAME = re.compile(r"(?P<host>.+)\.(?P<pid>\d+)-(?P<thread>[0-9a-f]+)")
_MULTICAST = 1 << 40
_ID = re.compile(r"^id\s*=\s*([0-9a-f]{64})\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Holder:
    """Who a lock says has it: borg's host id (`HOST@NUMBER`, see `uuid.getnode`) and the process's number."""

    host: str
    pid: int


def parse_holder(name: str) -> Holder | None:
    """Return what the name of a file in `lock.exclusive` says: `HOST@NUMBER.PID-THREAD`; None if it is no such name."""
    match = _NAME.fullmatch(name)
    return Holder(match["host"], int(match["pid"])) if match else None


def holders(repository: Repository, base: str) -> list[Holder | None]:
    """Return who holds a local repository's lock, or that of its cache below `base`, or reads beside it.

    None stands for a name that is not understood. A repository on another host has its own keeper: nobody is returned.
    """
    if not repository.path.startswith("/"):
        return []
    found: list[Holder | None] = []
    for folder in _lock_folders(Path(repository.path), base):
        # Who reads stands in the roster alone: breaking the lock would take that away as well.
        found += map(parse_holder, _names(folder))
        found += _enrolled(folder.with_name("lock.roster"))
    return list(dict.fromkeys(found))


def is_dead(holder: Holder, host: str, node: int, is_borg: Callable[[int], bool | None]) -> bool:
    """Return whether a holder is provably gone: it is of this very host, and no borg there has its number.

    `host` is this host's name and `node` its hardware address (`uuid.getnode`): another host may have the same name and
    the same repository, on a network file system. An address that `uuid` made up, because there is no network card, has
    the multicast bit (RFC 9562, 6.10) and proves nothing. `is_borg` says whether a borg has a process number.
    """
    name, _, number = holder.host.partition("@")
    same_name = name.partition(".")[0] == host.partition(".")[0]
    return same_name and number == str(node) and not node & _MULTICAST and is_borg(holder.pid) is False


def all_dead(
    found: Iterable[Holder | None], host: str, node: int, is_borg: Callable[[int], bool | None]
) -> list[Holder]:
    """Return the holders if every one of them is provably gone (see `is_dead`); none, if a single one is not."""
    dead: list[Holder] = []
    for holder in found:
        if holder is None or not is_dead(holder, host, node, is_borg):
            return []
        dead.append(holder)
    return dead


def _enrolled(roster: Path) -> list[Holder | None]:
    """Return who stands in a roster (`{"shared": [[HOST, PID, THREAD], …], …}`); None for what is not understood.

    An empty file, as a power cut may leave it, is nobody: so borg reads it, too.
    """
    try:
        content = roster.read_bytes()
    except FileNotFoundError:
        return []
    except OSError:
        return [None]
    if not content:
        return []
    try:
        entries = decoding.decode(content, dict[str, list[tuple[str, int, int]]])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return [None]
    return [Holder(host, pid) for holders in entries.values() for host, pid, _thread in holders]


def is_borg(pid: int, proc: Path = Path("/proc")) -> bool | None:
    """Return whether a borg has this number; False also if no process has it, None if that cannot be told.

    Where processes of others are hidden (proc(5), `hidepid`), process 1 is: an absent number says nothing there.
    """
    try:
        words = (proc / str(pid) / "cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False if (proc / "1").exists() else None
    except OSError:
        return None
    # As a script it is python's second word; a kernel thread has none at all.
    return any(b"borg" in word.rpartition(b"/")[2] for word in words[:3])


def _lock_folders(repository: Path, base: str) -> Iterable[Path]:
    yield repository / "lock.exclusive"
    try:
        match = _ID.search((repository / "config").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return
    if match:
        yield Path(base) / ".cache" / "borg" / match[1] / "lock.exclusive"


def _names(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except OSError:  # there is none: the usual case
        return []
