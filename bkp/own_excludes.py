"""Each source's excludes for that source alone. borg has one list of patterns for everything that it archives.

A pattern becomes a regular expression that also says below which roots it counts. It runs on what borg matches: the
path without its leading slash (borg-patterns(1)).
"""

from __future__ import annotations

import os.path
import re
from typing import TYPE_CHECKING

from bkp.config.places import is_below
from bkp.patterns import body_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_END = r"(?:/|\Z)"


def confined(excludes: Mapping[str, Sequence[str]], roots: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Return each source's patterns so that they leave out nothing of another source.

    Args:
        excludes: the patterns of each source, as configured.
        roots: the paths that are archived of each source. A file belongs to the source of the innermost root above it.

    The patterns of the only source stay as they are.
    """
    if len(excludes) == 1:
        return {name: tuple(patterns) for name, patterns in excludes.items()}
    found = {}
    for name, patterns in excludes.items():
        others = [root for other, theirs in roots.items() if other != name for root in theirs]
        scope = "|".join(_territory(root, others) for root in roots[name])
        found[name] = tuple(f"re:^(?:{scope})(?:{body_of(pattern)})" for pattern in patterns) if scope else ()
    return found


def _territory(root: str, others: Iterable[str]) -> str:
    """Return lookaheads: the path lies below `root`, and not below another source's root that lies below this one."""
    inner = [other for other in others if is_below(other, root) and not is_below(root, other)]
    rest = f"(?!(?:{'|'.join(map(_literal, inner))}){_END})" if inner else ""
    literal = _literal(root)
    return (f"(?={literal}{_END})" if literal else "") + rest


def _literal(path: str) -> str:
    return re.escape(os.path.normpath(path).lstrip("/"))
