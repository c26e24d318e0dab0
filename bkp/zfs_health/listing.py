"""Reads the rows of `zpool list -Hp -o …`, `zfs list -Hp -o …` and `zfs get -Hp`, exact numbers without headings.

One row that cannot be read makes that one unknown, with the reason; it takes no other row down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bkp.zfs_health.keys import SALTED, fingerprint
from bkp.zfs_health.model import DatasetHealth, PoolHealth, PoolSpace, Reading, Snapshots
from bkp.zfs_health.values import number, time_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

POOL_COLUMNS = (
    "name", "guid", "health", "size", "allocated", "free", "capacity", "fragmentation", "checkpoint", "expandsize",
    "readonly",
)  # fmt: skip
DATASET_COLUMNS = (
    "name", "guid", "type", "encryption", "encryptionroot", "keystatus", "mounted", "mountpoint", "canmount",
    "readonly", "quota", "refquota", "available", "used", "receive_resume_token",
)  # fmt: skip
KEY_COLUMNS = ("name", "property", "value")
SNAPSHOT_COLUMNS = ("name", "creation")
_UNTOLD = "zpool status does not tell of it"


def read_pools(text: str) -> tuple[tuple[PoolSpace, ...], tuple[str, ...]]:
    """Return the pools of `zpool list -Hp -o` `POOL_COLUMNS`, and what could not be read."""
    rows, problems = _rows(text, POOL_COLUMNS, "zpool list")
    return tuple(_space(row) for row in rows), problems


def _space(row: Mapping[str, str]) -> PoolSpace:
    # zpool prints no checkpoint and nothing to grow into as a dash, as it does where it does not know
    known = number(row["size"]) is not None
    return PoolSpace(
        name=row["name"],
        guid=_word(row.get("guid")),
        health=_word(row.get("health")),
        size=number(row["size"]),
        allocated=number(row["allocated"]),
        free=number(row["free"]),
        capacity=_percent(row["capacity"]),
        fragmentation=_percent(row["fragmentation"]),
        checkpoint=0 if known and row["checkpoint"] == "-" else number(row["checkpoint"]),
        expandsize=0 if known and row["expandsize"] == "-" else number(row["expandsize"]),
        readonly=_switch(row.get("readonly")),
    )


def with_space(reading: Reading, spaces: Sequence[PoolSpace]) -> Reading:
    """Return the reading with each pool's row of `zpool list`; a pool that only the list names is added as unread."""
    rows = {row.name: row for row in spaces}
    pools = []
    for pool in reading.pools:
        row = rows.pop(pool.name, None)
        pools.append(msgspec.structs.replace(pool, space=row, guid=pool.guid or row.guid) if row else pool)
    pools += [
        PoolHealth(name=row.name, guid=row.guid, state=row.health, space=row, problems=(_UNTOLD,))
        for row in rows.values()
    ]
    return msgspec.structs.replace(reading, pools=tuple(pools))


def read_datasets(text: str) -> tuple[tuple[DatasetHealth, ...], tuple[str, ...]]:
    """Return the datasets of `zfs list -Hp -o` `DATASET_COLUMNS`, and what could not be read."""
    rows, problems = _rows(text, DATASET_COLUMNS, "zfs list")
    return tuple(_dataset(row) for row in rows), problems


def read_keys(text: str) -> tuple[dict[str, dict[str, str]], tuple[str, ...]]:
    """Return the properties of each encryption root of `zfs get -Hp -o name,property,value`, and what is unread."""
    rows, problems = _rows(text, KEY_COLUMNS, "zfs get")
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        found.setdefault(row["name"], {})[row["property"]] = row["value"]
    return found, problems


def with_keys(datasets: Sequence[DatasetHealth], keys: Mapping[str, Mapping[str, str]]) -> tuple[DatasetHealth, ...]:
    """Return the datasets, the encryption roots among them with what tells their keys from others."""
    return tuple(_with_key(each, keys[each.name]) if each.name in keys else each for each in datasets)


def _with_key(dataset: DatasetHealth, values: Mapping[str, str]) -> DatasetHealth:
    form = _word(values.get("keyformat"))
    told = fingerprint(values) if form == SALTED else None
    return msgspec.structs.replace(dataset, key_form=form, key_fingerprint=told)


def _dataset(row: Mapping[str, str]) -> DatasetHealth:
    resume = row.get("receive_resume_token")
    return DatasetHealth(
        name=row["name"],
        guid=_word(row.get("guid")),
        kind=_word(row.get("type")),
        encryption=_word(row.get("encryption")),
        encryption_root=_word(row.get("encryptionroot")),
        key_status=_word(row.get("keystatus")),
        mounted=_switch(row.get("mounted")),
        mountpoint=_word(row.get("mountpoint")),
        can_mount=_word(row.get("canmount")),
        readonly=_switch(row.get("readonly")),
        quota=_limit(row.get("quota")),
        refquota=_limit(row.get("refquota")),
        available=number(row.get("available")),
        used=number(row.get("used")),
        receiving=None if resume in {None, ""} else resume != "-",
    )


def read_snapshots(text: str) -> tuple[dict[str, Snapshots], tuple[str, ...]]:
    """Return each dataset's snapshots of `zfs list -Hp -t snapshot -o name,creation`, and what could not be read."""
    rows, problems = _rows(text, SNAPSHOT_COLUMNS, "zfs list -t snapshot")
    counts: dict[str, int] = {}
    newest: dict[str, int] = {}
    for row in rows:
        dataset, at, _ = row["name"].partition("@")
        made = number(row["creation"])
        if not at or made is None:
            problems = (*problems, "zfs list -t snapshot printed a row without a snapshot or its time")
            continue
        counts[dataset] = counts.get(dataset, 0) + 1
        newest[dataset] = max(newest.get(dataset, 0), made)
    found = {name: Snapshots(count=count, newest=time_of(newest[name])) for name, count in counts.items()}
    return found, tuple(dict.fromkeys(problems))


def with_snapshots(
    datasets: Sequence[DatasetHealth], snapshots: Mapping[str, Snapshots], problems: Sequence[str]
) -> tuple[DatasetHealth, ...]:
    """Return the datasets with their snapshots. None is 0 only if every row could be read; else it is unknown."""
    absent = None if problems else Snapshots()
    return tuple(msgspec.structs.replace(each, snapshots=snapshots.get(each.name, absent)) for each in datasets)


def _rows(text: str, columns: Sequence[str], what: str) -> tuple[list[dict[str, str]], tuple[str, ...]]:
    lines = text.split("\n")
    problems = [f"{what} printed a last line without an end: it may be cut"] if lines.pop() else []
    rows = []
    for place, line in enumerate(lines, 1):
        cells = line.split("\t")
        if len(cells) == len(columns) and cells[0]:
            rows.append(dict(zip(columns, cells, strict=True)))
        else:
            problems.append(f"{what} printed line {place} with {len(cells)} columns instead of {len(columns)}")
    return rows, tuple(problems)


def _word(cell: str | None) -> str | None:
    return None if cell in {None, "-", ""} else cell


def _switch(cell: str | None) -> bool | None:
    return {"on": True, "yes": True, "off": False, "no": False}.get(cell or "")


def _limit(cell: str | None) -> int | None:
    return 0 if cell == "none" else number(cell)


def _percent(cell: str) -> float | None:
    percent = number(cell.removesuffix("%"))
    return None if percent is None or percent > 100 else percent / 100
