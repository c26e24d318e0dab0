"""Where repositories, sources and bkp's own folders lie, judged by their names alone: nothing here looks at a host."""

from __future__ import annotations

import os.path
import re
from typing import TYPE_CHECKING

from bkp.patterns import excluder

if TYPE_CHECKING:
    from collections.abc import Iterable

# As borg 1.x reads them (borg(1), "Repository URLs"); an IPv6 address stands in brackets.
_HOST = r"(?P<host>(?:[^@:/\s]+@)?(?:[^@:/\s\[\]]+|\[[0-9A-Fa-f:.]+\])"
_SSH = re.compile(rf"ssh://{_HOST}(?::[0-9]+)?)(?P<path>/.+)")
_SCP = re.compile(rf"{_HOST}):(?P<path>(?!//).+)")


def misunderstood(path: str) -> tuple[str, str] | None:
    """Return why borg would take a repository's path for something else, and what to do about it; None if it will not.

    borg is given REPOSITORY::ARCHIVE as one word, in which {hostname} and the like are replaced.
    """
    if "{" in path or "}" in path:
        return "borg takes braces for a placeholder such as {hostname}", "write out what it stands for"
    if "::" in re.sub(r"\[[0-9A-Fa-f:.]+\]", "", path, count=1) + ":":
        return "borg takes what follows :: for an archive's name", "rename the folder; an archive is never named here"
    if path.startswith("file://"):
        return "an address is wanted only for another host", f"write {path.removeprefix('file://')}"
    if path.startswith("//"):
        return "borg takes no path that begins with two slashes", f"write /{path.lstrip('/')}"
    if not (path.startswith("/") or _SSH.fullmatch(path) or _SCP.fullmatch(path)):
        return "borg does not understand it", "write /PATH, ssh://USER@HOST:PORT/PATH or USER@HOST:PATH"
    return None


def place_of(path: str) -> str:
    """Return where a repository lies: the same text for all ways of writing one place, as far as names tell.

    Symbolic links and the names of a host are not looked up.
    """
    match = _SSH.fullmatch(path) or _SCP.fullmatch(path)
    if path.startswith("/") or match is None:
        return os.path.normpath("/" + path.lstrip("/"))
    below = match["path"]
    if below.startswith("~"):
        below = f"/{below}"
    # borg reads /./PATH as below the account's home folder, as it does a PATH without a slash after HOST:.
    if not below.startswith("/") or below.startswith("/./"):
        below = "/./" + os.path.normpath(below.removeprefix("/./"))
    else:
        below = os.path.normpath(below)
    return match["host"] + below


def is_below(path: str, folder: str) -> bool:
    """Return whether `path` is `folder` or lies below it."""
    path, folder = os.path.normpath(path), os.path.normpath(folder)
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def archived(path: str, root: str, exclude: Iterable[str]) -> bool:
    """Return whether an archive of `root` would hold what lies at `path`: it is below, and no pattern leaves it out."""
    if not is_below(path, root):
        return False
    excluded = excluder(exclude)
    path, root = os.path.normpath(path), os.path.normpath(root)
    while path != root:
        if excluded(path):
            return False
        path = os.path.dirname(path)  # noqa: PTH120  # as a name
    return True
