"""What accounts other than root may do with a dataset, as `zfs allow DATASET` prints it (zfs-allow(8)).

Rights come from the dataset and from all above it. A set (`@name`) is taken for all that any of them puts into it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bkp.errors import StepFailedError

_HEAD = re.compile(r"-+ Permissions on (.+?) -*")
_SETS, _CREATED = "Permission sets:", "Create time permissions:"
_HERE = frozenset({"Local permissions:", "Local+Descendent permissions:"})
_BELOW = frozenset({"Descendent permissions:", "Local+Descendent permissions:"})


@dataclass(frozen=True)
class Grant:
    """Rights that hold for a dataset. `who` is `user NAME`, `group NAME` or `everyone`; `on` is where it was given.

    A set that nothing defines stays in `rights` under its name.
    """

    who: str
    on: str
    rights: frozenset[str]


def parse_grants(text: str, dataset: str) -> list[Grant]:
    """Return what holds for the dataset, its snapshots and what is below it. Raise `StepFailedError` for another form.

    What is given on the dataset for its descendants alone counts: they are replicas too.
    """
    found: list[tuple[str, str, frozenset[str]]] = []
    sets: dict[str, set[str]] = {}
    on = section = ""
    for line in text.splitlines():
        if not line.startswith("\t"):
            head = _HEAD.fullmatch(line)
            on, section = (head[1], "") if head else (on, line.strip())
            continue
        if not on or section not in {_SETS, _CREATED} | _HERE | _BELOW:
            raise StepFailedError(f"zfs allow printed a line that is not understood: {line.strip()!r}")
        who, _, rights = line.strip().rpartition(" ")
        if section == _SETS:
            sets.setdefault(who, set()).update(rights.split(","))
        elif section in _BELOW or (section in _HERE and on == dataset):
            found.append((who, on, frozenset(rights.split(","))))
    return [Grant(who, on, _expanded(rights, sets)) for who, on, rights in found]


def _expanded(rights: frozenset[str], sets: dict[str, set[str]]) -> frozenset[str]:
    """Return the rights with sets replaced by what is in them, sets in sets too."""
    found: set[str] = set()
    waiting, seen = list(rights), set[str]()
    while waiting:
        right = waiting.pop()
        if right in sets:
            waiting += [] if right in seen else sorted(sets[right])
            seen.add(right)
        else:
            found.add(right)
    return frozenset(found)
