"""One walk along a path, from the root to its end, links followed: through which hop could somebody else change it?

Judged are owners, modes and access control lists of every folder, owners of links, and what lies below a folder.
Trusted are root, the account that runs the audit, and the group root. No sentence names a path: they are for reports.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_LINKS = 40
MAX_ENTRIES = 200_000
ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"

_ENTRY = struct.Struct("<HHI")
_USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 0x02, 0x04, 0x08, 0x10, 0x20
_WRITE = 2


@dataclass(frozen=True)
class Route:
    """What lies at the end of a path, and what is weak on the way. `end` is None where there is nothing."""

    end: os.stat_result | None
    real: str
    weak: tuple[str, ...]


def trusted(uid: int) -> bool:
    """Return whether an owner is root or the account that runs the audit."""
    return uid in {0, os.geteuid()}


def walk(path: Path) -> Route:
    """Follow an absolute path hop by hop. Raise `OSError` where a hop cannot be looked at, or links go in a circle."""
    waiting = [part for part in str(path).split("/") if part][::-1]
    at, links, found = "/", 0, os.lstat("/")
    weak: list[str] = []
    while True:
        if stat.S_ISDIR(found.st_mode) and waiting:
            weak += [f"folder {_depth(at)} from the root: {flaw}" for flaw in folder_flaws(at, found)]
        if not waiting:
            return Route(found, at, tuple(dict.fromkeys(weak)))
        name = waiting.pop()
        if name == "..":
            at = os.path.dirname(at)  # noqa: PTH120  # of a real path: links are resolved by now
            found = os.lstat(at)
            continue
        step = os.path.join(at, name)  # noqa: PTH118  # a Path would tidy what must be looked at
        try:
            found = os.lstat(step)
        except (FileNotFoundError, NotADirectoryError):
            return Route(None, step, tuple(dict.fromkeys(weak)))
        if not stat.S_ISLNK(found.st_mode):
            at = step
            continue
        if not trusted(found.st_uid):
            weak.append(f"link {_depth(step)} from the root: it belongs to uid {found.st_uid}")
        links += 1
        if links > MAX_LINKS:
            raise OSError(errno.ELOOP, "a loop of symbolic links")
        target = os.readlink(step)  # noqa: PTH115  # as above
        waiting += [part for part in target.split("/") if part and part != "."][::-1]
        at = "/" if target.startswith("/") else at
        found = os.lstat(at)


def _depth(path: str) -> int:
    return path.rstrip("/").count("/") + 1


def folder_flaws(path: str, facts: os.stat_result) -> Iterator[str]:
    """Yield why somebody else could replace what is in a folder. In a sticky one only owners may, so those count."""
    if not trusted(facts.st_uid):
        yield f"it belongs to uid {facts.st_uid}"
    if not facts.st_mode & stat.S_ISVTX:
        yield from writers(path, facts)


def writers(path: str, facts: os.stat_result) -> Iterator[str]:
    """Yield who but its owner and the group root may write, by the mode or by an access control list (acl(5))."""
    entries = list(_acl(path))
    if not entries:
        if facts.st_mode & stat.S_IWGRP and facts.st_gid != 0:
            yield f"its group, gid {facts.st_gid}, may write"
        if facts.st_mode & stat.S_IWOTH:
            yield "others may write"
        return
    mask = next((rights for tag, rights, _ in entries if tag == _MASK), 7)
    for tag, rights, who in entries:
        if tag == _OTHER and rights & _WRITE:
            yield "others may write"
        if not rights & mask & _WRITE:
            continue
        if tag == _GROUP_OBJ and facts.st_gid != 0:
            yield f"its group, gid {facts.st_gid}, may write"
        if (tag == _USER and not trusted(who)) or (tag == _GROUP and who != 0):
            yield f"its access control list lets {'uid' if tag == _USER else 'gid'} {who} write"


def _acl(path: str) -> Iterator[tuple[int, int, int]]:
    """Yield the entries of the access control list: tag, rights, id."""
    content = xattr(path, ACCESS)
    if content is not None:
        yield from _ENTRY.iter_unpack(content[4 : 4 + (len(content) - 4) // _ENTRY.size * _ENTRY.size])


def xattr(path: str, name: str) -> bytes | None:
    """Return an extended attribute, None where there is none. Raise `OSError` where that cannot be told."""
    try:
        return os.getxattr(path, name, follow_symlinks=False)
    except OSError as exc:
        if exc.errno in {errno.ENODATA, errno.ENOTSUP}:
            return None
        raise


def has_acl(path: str, facts: os.stat_result) -> bool:
    """Return whether a list lies over the mode; of a folder also the one that it gives to what is made in it."""
    names = (ACCESS, DEFAULT) if stat.S_ISDIR(facts.st_mode) else (ACCESS,)
    return any(xattr(path, name) is not None for name in names)


def weak_inside(folder: str, *, links: bool) -> tuple[str, ...]:
    """Return what somebody else could change below a folder, by reason and count. Links are looked at, not followed.

    With `links`, a file that has a second name counts, too. Raise `OSError` where something cannot be looked at. What
    goes meanwhile is passed over: a run is at work, or this audit's own borg gives its lock back.
    """
    found: Counter[str] = Counter()
    waiting, entries = [folder], 0
    while waiting:
        looked_at = waiting.pop()
        try:
            listing = os.scandir(looked_at)
        except FileNotFoundError:
            if looked_at == folder:
                raise
            continue
        with listing:
            for entry in listing:
                entries += 1
                if entries > MAX_ENTRIES:
                    raise OSError(errno.EFBIG, f"more than {MAX_ENTRIES} entries")
                try:
                    facts = entry.stat(follow_symlinks=False)
                    found.update(_entry_flaws(entry.path, facts, links=links))
                except FileNotFoundError:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
    return tuple(f"{reason}: {count}" for reason, count in sorted(found.items()))


def _entry_flaws(path: str, facts: os.stat_result, *, links: bool) -> Iterator[str]:
    if not trusted(facts.st_uid):
        yield f"belongs to uid {facts.st_uid}"
    if not stat.S_ISLNK(facts.st_mode):
        yield from (flaw.removeprefix("its ") for flaw in writers(path, facts))
    if links and stat.S_ISREG(facts.st_mode) and facts.st_nlink > 1:
        yield "has a second name (a hard link)"
