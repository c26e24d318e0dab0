"""What zfs and zpool print, as typed facts."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bkp.errors import StepFailedError
from bkp.tools.mounts import parse_mountinfo

# zpool status, `config:`: a tab, the name indented by depth, the state, three counters, perhaps a remark
_VDEV = re.compile(r"\t *\S.*? +[A-Z]+ +([0-9]+) +([0-9]+) +([0-9]+)(?: .*)?")
_DATA_ERRORS = re.compile(r"errors: ([0-9]+) data errors?\b.*")


@dataclass(frozen=True)
class Dataset:
    """A file system or volume. `key_loaded` is None where it is not encrypted. `mountpoint` may be `none` or `legacy`.

    A volume has a dash for mountpoint and canmount (zfsprops(7): they are of file systems).
    """

    name: str
    mountpoint: str
    canmount: str
    encryption: str
    key_loaded: bool | None

    @property
    def is_volume(self) -> bool:
        """Whether it is a block device, without files of its own to see."""
        return self.canmount == "-"


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


def parse_datasets(text: str) -> list[Dataset]:
    """Return what `zfs list` of `commands.DATASET_COLUMNS` printed; raise `StepFailedError` for another form."""
    found = []
    for name, mountpoint, canmount, keystatus, encryption in _rows(text, 5, "list"):
        key_loaded = None if encryption in {"off", "-"} else keystatus == "available"
        found.append(Dataset(name, mountpoint, canmount, encryption, key_loaded))
    return found


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
            shown = "\t".join(cells)[:200]
            raise StepFailedError(
                f"{program} {verb} printed a line of another form than asked for: {shown!r}",
                remedy="give datasets and mount points names without tabs and line feeds",
            )
    return rows


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
