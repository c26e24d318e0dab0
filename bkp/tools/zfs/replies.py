"""What zfs and zpool print, as typed facts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bkp.errors import StepFailedError
from bkp.tools.mounts import parse_mountinfo

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# zpool status, `config:`: a tab, the name indented by depth, the state, three counters, perhaps a remark
_VDEV = re.compile(r"\t *\S.*? +[A-Z]+ +([0-9]+) +([0-9]+) +([0-9]+)(?: .*)?")
_DATA_ERRORS = re.compile(r"errors: ([0-9]+) data errors?\b.*")


@dataclass(frozen=True)
class Dataset:
    """A file system or volume. `key_loaded` is None where it is not encrypted. `mountpoint` may be `none` or `legacy`.

    A volume has a dash for mountpoint and canmount (zfsprops(7): they are of file systems). `guid` tells it from
    a later one of the same name. `receiving` is True until its first receive is complete: it has no content before.
    """

    name: str
    mountpoint: str
    canmount: str
    encryption: str
    key_loaded: bool | None
    guid: str = ""
    receiving: bool = False
    resumable: bool = False

    @property
    def is_volume(self) -> bool:
        """Whether it is a block device, without files of its own to see."""
        return self.canmount == "-"


@dataclass(frozen=True)
class Snapshot:
    """One snapshot. `created_at` (UTC) is when it was made where it comes from, `createtxg` when it came to be here.

    `holds` is how many keep it from being destroyed. `guid` is the same wherever it was sent to.
    """

    dataset: str
    name: str
    guid: str
    created_at: datetime
    createtxg: int
    holds: int = 0

    @property
    def full_name(self) -> str:
        """Return DATASET@NAME."""
        return f"{self.dataset}@{self.name}"


@dataclass(frozen=True)
class Mark:
    """One user property of one snapshot. `source` is `local`, `received`, `inherited from …` or `-`."""

    snapshot: str
    key: str
    value: str
    source: str


@dataclass(frozen=True)
class Property:
    """One property of one dataset. `source` as zfs says it: `local`, `default`, `inherited from …`, `-` (read-only)."""

    dataset: str
    name: str
    value: str
    source: str

    @property
    def origin(self) -> str:
        """The source without the ancestor's name: local, inherited, received, default, temporary or none."""
        return "none" if self.source == "-" else self.source.split(" ", 1)[0]


@dataclass(frozen=True)
class PoolSpace:
    """What `zpool list` says. Sizes in bytes, `capacity` in percent used; None where the pool cannot say (UNAVAIL)."""

    name: str
    size: int | None
    free: int | None
    capacity: int | None
    health: str
    readonly: bool | None


@dataclass(frozen=True)
class ErrorCounts:
    """Errors since the last `zpool clear`: the most that any one device or vdev counts, a row at a time.

    `data` is how many errors have no repair, so that files are damaged; None where `zpool status` does not know.
    """

    read: int
    write: int
    checksum: int
    data: int | None


def parse_datasets(text: str, mount_points: Mapping[str, str]) -> list[Dataset]:
    """Return what `zfs list` of `commands.DATASET_COLUMNS` printed; raise `StepFailedError` for another form.

    A dataset without an entry in `mount_points` is gone since, and is left out.
    """
    found = []
    for name, canmount, keystatus, encryption, guid, inconsistent, token in _rows(text, 7, "list"):
        if name in mount_points:
            key_loaded = None if encryption in {"off", "-"} else keystatus == "available"
            receiving = inconsistent == "1"
            found.append(
                Dataset(
                    name, mount_points[name], canmount, encryption, key_loaded, guid, receiving, token not in {"-", ""}
                )
            )
    return found


def parse_names(text: str) -> list[str]:
    """Return the names of the datasets, of the same output; raise `StepFailedError` for another form."""
    return [name for name, *_ in _rows(text, 7, "list")]


def parse_mount_points(text: str, names: Sequence[str]) -> dict[str, str] | None:
    """Return what `zfs list` of `commands.list_mount_points` printed of these datasets, each on a line of its own.

    None if it is not that: a mount point may hold a line feed, and one more line looks like one more dataset.
    """
    rows = [line.partition("\t") for line in text.removesuffix("\n").split("\n")] if text else []
    return {name: path for name, _, path in rows} if [name for name, *_ in rows] == list(names) else None


def parse_snapshots(text: str) -> list[Snapshot]:
    """Return what `zfs list` of `commands.list_received` printed; raise `StepFailedError` for another form."""
    found = []
    for name, guid, creation, createtxg, userrefs in _rows(text, 5, "list"):
        dataset, _, short = name.partition("@")
        try:
            created = datetime.fromtimestamp(int(creation), UTC)
            found.append(Snapshot(dataset, short, guid, created, int(createtxg), int(userrefs)))
        except (ValueError, OverflowError, OSError):
            raise _another_form("zfs", "list", [name, guid, creation, createtxg, userrefs]) from None
    return found


def parse_holds(text: str) -> list[tuple[str, str]]:
    """Return what `zfs holds -H` printed, as snapshots with their tags; raise `StepFailedError` for another form."""
    return [(snapshot, tag) for snapshot, tag, _ in _rows(text, 3, "holds")]


def parse_marks(text: str) -> list[Mark]:
    """Return what `zfs get` of `commands.snapshot_marks` printed; raise `StepFailedError` for another form."""
    return [Mark(*cells) for cells in _rows(text, 4, "get")]


def parse_properties(text: str) -> list[Property]:
    """Return what `zfs get` of `commands.properties` printed; raise `StepFailedError` for another form."""
    return [Property(*cells) for cells in _rows(text, 4, "get")]


def parse_pool(text: str) -> PoolSpace:
    """Return what `zpool list` of `commands.POOL_COLUMNS` printed; raise `StepFailedError` for another form."""
    rows = _rows(text, 6, "list", program="zpool")
    if len(rows) != 1:
        raise StepFailedError(f"zpool list printed {len(rows)} pools, and one was asked for")
    name, size, free, capacity, health, readonly = rows[0]
    return PoolSpace(
        name, _number(size), _number(free), _number(capacity), health, {"on": True, "off": False}.get(readonly)
    )


def _number(cell: str) -> int | None:
    # a pool that cannot be opened has a dash in place of every number
    return int(cell) if re.fullmatch(r"[0-9]{1,20}", cell) else None


def parse_error_counts(text: str) -> ErrorCounts:
    """Return what `zpool status -p` of one pool counts; raise `StepFailedError` where it shows no device at all."""
    lines = text.split("\n")
    rows = [tuple(int(cell) for cell in found.groups()) for line in lines if (found := _VDEV.fullmatch(line))]
    if not rows:
        raise StepFailedError("zpool status shows no device with its errors", remedy="see `zpool status`")
    read, write, checksum = (max(column) for column in zip(*rows, strict=True))
    if "errors: No known data errors" in lines:
        return ErrorCounts(read, write, checksum, 0)
    data = next((int(found[1]) for line in lines if (found := _DATA_ERRORS.fullmatch(line))), None)
    return ErrorCounts(read, write, checksum, data)


def _rows(text: str, columns: int, verb: str, *, program: str = "zfs") -> list[list[str]]:
    rows = [line.split("\t") for line in text.removesuffix("\n").split("\n")] if text else []
    for cells in rows:
        if len(cells) != columns:
            raise _another_form(program, verb, cells)
    return rows


def _another_form(program: str, verb: str, cells: Sequence[str]) -> StepFailedError:
    shown = "\t".join(cells)[:200]
    return StepFailedError(
        f"{program} {verb} printed a line of another form than asked for: {shown!r}",
        remedy="see `zfs version`: OpenZFS 2.1 to 2.3 print the asked-for columns, one dataset a line",
    )


def parse_mounts(mountinfo: str) -> dict[str, tuple[str, ...]]:
    """Return where each ZFS dataset (or snapshot) is mounted, in order, from /proc/self/mountinfo (proc(5))."""
    found: dict[str, tuple[str, ...]] = {}
    for mount in parse_mountinfo(mountinfo):
        if mount.kind == "zfs" and mount.whole:
            found[mount.source] = (*found.get(mount.source, ()), mount.point)
    return found


def dataset_on_device(mountinfo: str, device: str) -> str | None:
    """Return the dataset (or snapshot) that is mounted as `device`, MAJOR:MINOR of stat(2); None for another kind."""
    found = (mount for mount in parse_mountinfo(mountinfo) if mount.kind == "zfs" and mount.device == device)
    return next((mount.source for mount in found), None)
