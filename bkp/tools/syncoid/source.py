"""What the live server answered to syncoid's questions, as typed facts."""

from __future__ import annotations

from datetime import UTC, datetime

from bkp.errors import StepFailedError
from bkp.tools.zfs.replies import Snapshot


def parse_children(text: str) -> list[str]:
    """Return the datasets of `commands.list_children`."""
    return [row[0] for row in _rows(text, 2)]


def parse_snapshots(text: str) -> list[Snapshot]:
    """Return the snapshots of `commands.list_snapshots`, in the order of their creation there."""
    facts: dict[str, dict[str, str]] = {}
    for name, key, value, _ in _rows(text, 4):
        facts.setdefault(name, {})[key] = value
    found = []
    for number, (name, values) in enumerate(facts.items()):
        dataset, _, short = name.partition("@")
        try:
            created = datetime.fromtimestamp(int(values["creation"]), UTC)
            found.append(Snapshot(dataset, short, values["guid"], created, number))
        except (KeyError, ValueError, OverflowError, OSError):
            raise _odd(name) from None
    return found


def parse_wanted(text: str, host: str) -> bool:
    """Return whether syncoid of this host pulls the dataset (`syncoid:sync`: false, or the hosts that do)."""
    rows = _rows(text, 4)
    value = rows[0][2] if rows else "-"
    return value in {"true", "-", ""} or (value != "false" and host in value.split(","))


def _rows(text: str, columns: int) -> list[list[str]]:
    rows = [line.split("\t") for line in text.removesuffix("\n").split("\n")] if text else []
    for cells in rows:
        if len(cells) != columns:
            raise _odd("\t".join(cells))
    return rows


def _odd(line: str) -> StepFailedError:
    return StepFailedError(
        f"the live server answered in another form than zfs does: {line[:200]!r}",
        remedy="ask it by hand with the same key; `bkp-run ssh-gate` prints its gate anew",
    )
