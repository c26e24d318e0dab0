"""Reads what `zpool status [-p] [-v]` and `zpool import` print as text, under LC_ALL=C and TZ=UTC (ZFS 0.6 to 2.4).

Nothing is believed for being absent: where the text is cut, garbled or in another language, what it would have said is
unknown, with the reason in `problems`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import dropwhile, takewhile
from typing import TYPE_CHECKING

from bkp.zfs_health.model import DataErrors, PoolHealth, Reading
from bkp.zfs_health.scan_lines import read_checkpoint, read_expansion, read_removal, read_scans
from bkp.zfs_health.tree import is_heading, is_row, read_tree
from bkp.zfs_health.values import TIME, number, plain
from bkp.zfs_health.words import message_id_in, tells_suspension

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bkp.zfs_health.model import Vdev

_POOL = re.compile(r" {0,6}pool: (.+)")
_LABEL = re.compile(r" {0,6}([a-z]+):(?: (.*)|$)")
_LABELS = frozenset(
    {"id", "state", "status", "action", "comment", "see", "scan", "scrub", "remove", "checkpoint", "expand", "condense"}
    | {"config", "errors", "dedup"}
)
_DATE = re.compile(rf"{TIME}|[0-9]{{9,11}}")  # what -T prints
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_NUMBERED = re.compile(r"(\S+) data errors?(?:,.*)?")
_TOLD_LENGTH = 100_000
_LINE_LENGTH = 1000  # no line of zpool is as long; a longer one may be anything
_ONE_LINE = frozenset({"id", "state", "see", "comment", "checkpoint"})
_ONCE = _ONE_LINE | {"status", "action", "config"}
_NO_POOLS = "no pools available"
_NO_ERRORS = "No known data errors"


@dataclass
class _Part:
    label: str
    lines: list[str]

    @property
    def text(self) -> str:
        return "\n".join(line.strip() for line in self.lines)


@dataclass
class _Block:
    """The lines of one pool. `cut`: the last line of them has no end."""

    name: str
    lines: list[str] = field(default_factory=list)
    cut: bool = False


def read_status(text: str) -> Reading:
    """Return the pools that the text tells of. A text of any other kind gives no pool, and the reason."""
    ended = text.endswith("\n")
    blocks: list[_Block] = []
    before: list[str] = []
    lines = [line[:_LINE_LENGTH].rstrip("\r") for line in _COLOUR.sub("", text).split("\n")]
    for line in lines:
        if found := _POOL.fullmatch(line):
            blocks.append(_Block(plain(found[1])))
        elif blocks:
            blocks[-1].lines.append(line)
        else:
            before.append(line)
    if blocks:
        blocks[-1].cut = not ended
        return _reading(blocks, before)
    if _NO_POOLS in (line.strip() for line in lines):
        return Reading()
    if not text.strip():
        return Reading(problem="zpool status printed nothing")
    refusal = next((line for line in lines if line.startswith("cannot open '")), None)
    return Reading(problem=plain(refusal, 200) if refusal else "this is not what zpool status prints under LC_ALL=C")


def _reading(blocks: Sequence[_Block], before: Sequence[str]) -> Reading:
    names = [block.name for block in blocks]
    twice = sorted({name for name in names if names.count(name) > 1})
    # a file's name may hold line feeds, and look like a pool in the list of damaged files: the first one is the pool
    pools = {block.name: _read_pool(block) for block in reversed(blocks)}
    problem = f"printed more than once, and only the first is read: {', '.join(twice)[:200]}" if twice else None
    if any(not (_is_blank(line) or _DATE.fullmatch(line.strip())) for line in before):
        problem = "lines stand before the first pool: they may tell of a pool that cannot be read"
    return Reading(pools=tuple(pools[name] for name in dict.fromkeys(names)), problem=problem)


def _read_pool(block: _Block) -> PoolHealth:
    parts = _parts(block.lines)
    first = {part.label: part for part in reversed(parts)}
    heading, rows = _table(parts)
    stray = _stray_lines(block.lines, parts)
    # all that stands above the table has been seen, and read
    whole = (heading is not None or "config" in first) and not stray
    cut_row = block.cut and bool(parts) and parts[-1].label == "config"
    vdevs: tuple[Vdev, ...] = ()
    problems = [f"{stray} lines stand where they do not belong: the text is garbled"] if stray else []
    if heading is None:
        problems.append("the table of devices is missing: the text is cut or garbled, or the pool is not known to ZFS")
    else:
        vdevs, unread = read_tree(heading, rows, cut=cut_row)
        problems.extend(unread)
    if not vdevs and heading is not None:
        problems.append("the table of devices is empty: the text is cut or garbled")
    imported = "id" not in first
    errors = [part for part in parts if part.label == "errors"]
    data_errors = _data_errors(errors)
    if data_errors is None and imported:
        problems.append("data errors are unknown: no line tells them, the pool is suspended, or the text is cut")
    state = _word(first.get("state"))
    if state is None:
        problems.append("the pool's state is missing")
    status = _sentence(first.get("status"))
    message_id = message_id_in(first["see"].text if "see" in first else "")
    told = plain("\n".join(line for part in parts for line in _without_names(part)), _TOLD_LENGTH)
    scans = read_scans((part.text for part in parts if part.label in {"scan", "scrub"}), whole=whole and imported)
    return PoolHealth(
        name=block.name,
        guid=_word(first.get("id"), r"[0-9]{1,20}"),
        state=state,
        imported=imported,
        suspended=_suspended(state, message_id, told, sure=whole and not ("see" in first and message_id is None)),
        message_id=message_id,
        status=status,
        action=_sentence(first.get("action")),
        vdevs=vdevs,
        scrub=scans.scrub,
        resilver=scans.resilver,
        error_scrub=scans.error_scrub,
        data_errors=data_errors,
        checkpoint=read_checkpoint(first["checkpoint"].text) if "checkpoint" in first else None,
        removal=read_removal(first["remove"].text) if "remove" in first else None,
        expansion=read_expansion(first["expand"].text) if "expand" in first else None,
        problems=tuple(problems),
    )


def _parts(lines: Sequence[str]) -> list[_Part]:
    """Return the labelled parts in order; what stands under a label belongs to it."""
    parts: list[_Part] = []
    for line in lines:
        if is_heading(line) and not (parts and parts[-1].label == "errors"):
            if not parts or parts[-1].label != "config":  # the label is garbled, the table is not
                parts.append(_Part("config", []))
            parts[-1].lines.append(line)
        elif (found := _LABEL.fullmatch(line)) and found[1] in _LABELS:
            parts.append(_Part(found[1], [found[2] or ""]))
        elif parts:
            parts[-1].lines.append(line)
    return parts


def _stray_lines(lines: Sequence[str], parts: Sequence[_Part]) -> int:
    """Return how many lines neither begin a part nor continue one, or begin one again: labels are garbled, or moved."""
    owned = sum(len(part.lines) for part in parts)
    stray = sum(1 for line in lines[: len(lines) - owned] if line.strip())
    labels = [part.label for part in parts]
    stray += sum(labels.count(label) - 1 for label in _ONCE & set(labels))
    for part in parts:
        if part.label in {"config", "errors", "dedup"}:
            continue
        more = [line for line in part.lines[1:] if line.strip()]
        unlabelled = (
            line for line in more if part.label in _ONE_LINE or not line.startswith(("\t", " " * 4)) or is_row(line)
        )
        stray += sum(1 for _ in unlabelled)
    return stray


def _without_names(part: _Part) -> Sequence[str]:
    return part.lines[:1] if part.label == "errors" else part.lines


def _table(parts: Sequence[_Part]) -> tuple[str | None, list[str]]:
    """Return the heading and the rows of the table of devices. `zpool import` prints no heading.

    The table ends in a blank line. What follows without a label may be names of damaged files: a mark is left of it.
    """
    for part in parts:
        if part.label != "config" or (part.lines[0].strip() and not is_heading(part.lines[0])):
            continue
        at = next((place for place, line in enumerate(part.lines) if is_heading(line)), None)
        lines = list(dropwhile(_is_blank, part.lines if at is None else part.lines[at + 1 :]))
        rows = list(takewhile(lambda line: not _is_blank(line), lines))
        if any(not _is_blank(line) for line in lines[len(rows) :]):
            rows.append("?")
        if at is not None:
            return part.lines[at], rows
        if rows:
            indent = rows[0][: len(rows[0]) - len(rows[0].lstrip())]
            return f"{indent}NAME STATE", rows
    return None, []


def _is_blank(line: str) -> bool:
    return not line.strip()


def _data_errors(errors: Sequence[_Part]) -> DataErrors | None:
    """Return the gravest of what the lines tell: a number above 0, else `some`, else 0 if nothing contradicts it."""
    found = [_one_data_errors(part) for part in errors]
    numbers = [each for each in found if isinstance(each, int)]
    if numbers and max(numbers) > 0:
        return max(numbers)
    if "some" in found:
        return "some"
    return 0 if numbers and None not in found else None


def _one_data_errors(part: _Part) -> DataErrors | None:
    said = part.lines[0].strip()
    if said == _NO_ERRORS:
        return 0 if not any(line.strip() for line in part.lines[1:]) else None
    if found := _NUMBERED.fullmatch(said):
        count = number(found[1])
        return "some" if count is None else count
    if said.startswith("Permanent errors"):
        return sum(1 for line in part.lines[1:] if line.strip()) or "some"
    if said.startswith("List of errors unavailable") and not tells_suspension(said):
        return "some"  # zpool asks for the list only where the count is above 0
    return None  # of a suspended pool nobody can read the count anew


def _suspended(state: str | None, message_id: str | None, told: str, *, sure: bool) -> bool | None:
    if state == "SUSPENDED" or tells_suspension(told, message_id):
        return True
    return False if sure and state is not None else None


def _word(part: _Part | None, pattern: str = r"[A-Z][A-Z_?]*") -> str | None:
    said = part.lines[0].strip() if part else ""
    return said if re.fullmatch(pattern, said) else None


def _sentence(part: _Part | None) -> str | None:
    return (plain(part.text) or None) if part else None
