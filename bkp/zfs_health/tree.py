"""Reads the table of `config:` in `zpool status` and `zpool import`: vdevs to any depth, with their classes.

Every row becomes a vdev or names a class. One that cannot be read becomes a vdev of unknown state: none is lost.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from bkp.zfs_health.model import Vdev, VdevClass
from bkp.zfs_health.values import NUMBER, is_rounded, number, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

_CLASSES: dict[str, VdevClass] = {
    "logs": "log",
    "cache": "cache",
    "spares": "spare",
    "special": "special",
    "dedup": "dedup",
}
_HEADING = re.compile(r"[ \t]*NAME +STATE\b")
_STATE = r"[A-Z][A-Z_?]*"
_COUNTED = re.compile(
    rf"(?P<name>\S.*?) +(?P<state>{_STATE})"
    rf" +(?P<read>{NUMBER}) +(?P<write>{NUMBER}) +(?P<checksum>{NUMBER})(?P<rest> .*)?"
)
_BARE = re.compile(rf"(?P<name>\S.*?)  +(?P<state>{_STATE})(?P<rest> .*)?")
_EXTRA = frozenset({"SLOW", "POWER", "DIO"})  # columns of -s, --power and -d; those of -c stand behind the remarks
_GROUP = re.compile(r"(?:mirror|raidz[1-3]?|draid[1-3]:\S+|replacing|spare)-[0-9]+")
_MAX_DEPTH = 16
_MAX_NOTES = 8
_NOTE_LENGTH = 200


@dataclass
class _Node:
    vdev: Vdev
    children: list[_Node] = field(default_factory=list)

    def frozen(self) -> Vdev:
        return msgspec.structs.replace(self.vdev, children=tuple(child.frozen() for child in self.children))


def is_heading(line: str) -> bool:
    """Return whether a line is the table's heading."""
    return _HEADING.match(line) is not None


def is_row(line: str) -> bool:
    """Return whether a line looks like a row of the table, with its three counters."""
    return _COUNTED.fullmatch(line.strip()) is not None


def read_tree(heading: str, lines: Sequence[str], *, cut: bool) -> tuple[tuple[Vdev, ...], tuple[str, ...]]:
    """Return the vdevs of the table's lines, and what could not be read.

    `cut`: the last line may lack its end, so that its last number may be one of fewer digits than was printed.
    """
    heading = heading.expandtabs(8)
    base = len(heading) - len(heading.lstrip())
    extra = [word for word in heading.split()[5:] if word in _EXTRA]
    top: list[_Node] = []
    path: list[tuple[int, list[_Node]]] = [(-1, top)]
    vdev_class: VdevClass = "data"
    unread = 0
    for position, line in enumerate(lines):
        shown = line.expandtabs(8).rstrip()
        depth = len(shown) - len(shown.lstrip()) - base
        if depth < 0:  # no row begins left of the heading: names of damaged files may follow
            top.append(_Node(Vdev(name="?", vdev_class=vdev_class)))
            unread += 1
            break
        text = shown.strip()
        if text in _CLASSES and depth == 0:
            vdev_class, path = _CLASSES[text], [(-1, top)]
            continue
        vdev = _read_row(text, extra, vdev_class, cut=cut and position == len(lines) - 1)
        unread += vdev.state is None or (vdev.read is None and vdev_class != "spare" and len(heading.split()) > 2)
        while len(path) > 1 and depth <= path[-1][0]:
            path.pop()
        node = _Node(vdev)
        path[-1][1].append(node)
        if len(path) < _MAX_DEPTH:
            path.append((depth, node.children))
    problems = [f"{unread} rows of the table of devices cannot be read"] if unread else []
    if lacking := sum(map(_lacking, top)):
        problems.append(f"{lacking} groups of devices lack their members: the text is cut or garbled")
    return tuple(node.frozen() for node in top), tuple(problems)


def _lacking(node: _Node) -> int:
    """Return how many groups have nothing below them: they would look like devices."""
    alone = _GROUP.fullmatch(node.vdev.name) is not None and not node.children
    return alone + sum(map(_lacking, node.children))


def _read_row(text: str, extra: Sequence[str], vdev_class: VdevClass, *, cut: bool) -> Vdev:
    counted = _COUNTED.fullmatch(text)
    if counted is not None and (counted["rest"] or "").startswith(" ") and not extra:
        # zpool sets remarks apart by two blanks: a single one parts numbers, so a number is broken
        counted = counted if (counted["rest"] or "").startswith("  ") else None
    found = counted or _BARE.fullmatch(text)
    if found is None:
        return Vdev(name=plain(text.split("  ", 1)[0]), vdev_class=vdev_class)
    name, rest = found["name"], found["rest"] or ""
    counters: list[str | None] = [counted[key] for key in ("read", "write", "checksum")] if counted else [None] * 3
    slow, rest = _columns(rest, extra) if counted else (None, rest)
    if cut and counted and not rest.strip():
        counters[2] = slow = None
    notes = _notes(rest)
    was = next((note.removeprefix("was ") for note in notes if note.startswith("was ")), None)
    return Vdev(
        name=name,
        state=found["state"],
        vdev_class=vdev_class,
        guid=name if re.fullmatch(r"[0-9]{6,20}", name) else None,
        path=name if name.startswith("/") and was is None else None,
        was=was,
        read=number(counters[0]),
        write=number(counters[1]),
        checksum=number(counters[2]),
        slow=number(slow),
        rounded=any(is_rounded(each) for each in counters if each),
        notes=notes,
    )


def _columns(rest: str, extra: Sequence[str]) -> tuple[str | None, str]:
    """Return the counter of the column SLOW, and what stands behind the extra columns."""
    slow = None
    for column in extra:
        cell = re.match(r" +(\S+)", rest)
        if cell is None:
            break
        slow = cell[1] if column == "SLOW" else slow
        rest = rest[cell.end() :]
    return slow, rest


def _notes(rest: str) -> tuple[str, ...]:
    notes = (plain(note, _NOTE_LENGTH) for note in re.split(r" {2,}", rest))
    bare = (note[1:-1] if note.startswith("(") and note.endswith(")") else note for note in notes if note)
    return tuple(bare)[:_MAX_NOTES]
