"""Facts of zfs, zfs.dataset.* and zfs.pool.*: asked of zfs and zpool, for what the backup reads from and writes to.

Where nothing of the backup lies on ZFS no program is asked. Where it does and ZFS cannot be asked, every fact is an
error: a pool that is gone must not look like a host without one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bkp.errors import BkpError
from bkp.tools.mounts import MOUNTINFO, mount_table, parse_mountinfo
from bkp.tools.zfs.client import Zfs, dataset_of
from bkp.tools.zfs.keys import keys_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from auditor.facts.builder import FactBuilder, FactGroup
    from bkp.config.model import Config
    from bkp.config.repositories import Repository
    from bkp.tools.zfs.keys import ZfsKey
    from bkp.tools.zfs.replies import Property

TIMEOUT_SECONDS = 20.0

_NO_ROOT = frozenset({"-", ""})
_SETTINGS = ("compression", "atime", "recordsize")
_ORIGINS = ("local", "inherited", "received", "default", "temporary", "none")


def _text(value: str) -> str | None:
    return value if value not in {"-", ""} else None


def _integer(value: str) -> int | None:
    return int(value) if value.isdecimal() and value.isascii() else None


# property of zfs, fact, and how its words are read: None is "not understood"
_PROPERTIES: tuple[tuple[str, str, Callable[[str], object | None]], ...] = (
    ("mounted", "mounted", {"yes": True, "no": False}.get),
    ("encryption", "encryption", _text),
    ("keystatus", "key_status", {"available": "available", "unavailable": "unavailable", "-": "none"}.get),
    ("compression", "compression", _text),
    ("atime", "atime", {"on": "on", "off": "off"}.get),
    ("recordsize", "recordsize", _integer),
)
_ASKED = ("encryptionroot", *(name for name, _, _ in _PROPERTIES))


@dataclass
class _Use:
    """What the backup uses one dataset for."""

    sources: list[str] = field(default_factory=list)
    repositories: list[str] = field(default_factory=list)


def collect_zfs(
    builder: FactBuilder,
    config: Config,
    say: Callable[[str], None],
    *,
    zfs: Zfs | None = None,
    mountinfo: Path = Path(MOUNTINFO),
) -> None:
    """Add zfs.* for the sources' datasets, with what is below them, and for those that hold a local repository."""
    zfs = zfs or Zfs(lambda _line: None, timeout=TIMEOUT_SECONDS)
    named, lying = _named(builder, config, mountinfo)
    installed = os.access(zfs.programs.zfs, os.X_OK)
    datasets = tuple(dict.fromkeys((*named.values(), *lying)))
    builder.of("zfs").add("access(2) of the program zfs", {"installed": installed})
    builder.of("zfs").add("the configuration", {"source_datasets": datasets})
    uses: dict[str, _Use] = {}
    holders = _holders(builder, config, zfs if installed else None, mountinfo)
    for repository, dataset in holders.items():
        uses.setdefault(dataset, _Use()).repositories.append(repository)
    found: dict[str, dict[str, Property]] = {}
    for name, top in named.items():
        say(f"zfs get {top}")
        skip = config.sources[name].skip
        below = _ask(builder, zfs, top, below=True)
        for dataset in below or {top: {}}:
            if not any(f"{dataset}/".startswith(f"{each}/") for each in skip):
                uses.setdefault(dataset, _Use()).sources.append(name)
        found |= below
    for dataset, names in lying.items():
        uses.setdefault(dataset, _Use()).sources += names
    for dataset in (*lying, *holders.values()):
        if dataset not in found:
            found |= _ask(builder, zfs, dataset, below=False)
    _describe(builder, zfs, uses, found)
    _keys(builder, zfs, uses)
    _parents(builder, zfs, uses)
    for pool in dict.fromkeys(_pool_of(dataset) for dataset in uses):
        say(f"zpool status {pool}")
        _pool(builder.of("zfs.pool", pool), zfs, pool)


def zfs_not_in_time(builder: FactBuilder, reason: str) -> None:
    """Add the errors for what ZFS did not answer in time: what it would have named, too, is not known."""
    builder.of("zfs").fail("zfs, zpool", reason)
    builder.of("zfs").fail("zfs, zpool", reason, ("source_datasets", "repository_datasets", "encryption_roots"))


def _named(builder: FactBuilder, config: Config, mountinfo: Path) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return the dataset that each source names, and the datasets that sources given as a path lie on, with those."""
    named: dict[str, str] = {}
    lying: dict[str, list[str]] = {}
    for name, source in config.sources.items():
        if source.dataset is not None:
            named[name] = source.dataset
        elif source.path is not None:
            path = os.path.realpath(source.path)
            try:
                table = mount_table(mountinfo)
                found = [dataset_of(path, table), *([] if source.one_file_system else _mounted_below(path, table))]
            except FileNotFoundError:
                continue  # no such folder: whether the night found it is RUN-007's to say
            except OSError as exc:
                problem = f"cannot tell where source {name} lies: {_reason(exc)}"
                builder.of("zfs.dataset", f"source {name}").fail("stat(2), mountinfo (proc(5))", problem)
                continue
            for dataset in dict.fromkeys(found):
                if dataset is not None:
                    lying.setdefault(dataset, []).append(name)
    return named, lying


def _mounted_below(path: str, table: str) -> list[str]:
    """Return the datasets that are mounted below a folder: a source that crosses file systems has them, too."""
    top = f"{path.rstrip('/')}/"
    below = [each for each in parse_mountinfo(table) if each.kind == "zfs" and each.point.startswith(top)]
    return [each.source.partition("@")[0] for each in below]  # a snapshot is as open as its dataset


def _parents(builder: FactBuilder, zfs: Zfs, uses: Mapping[str, _Use]) -> None:
    """Add open_parents: the pool's own dataset, the root, is not counted, as it cannot be encrypted afterwards."""
    above = {dataset: _above(dataset) for dataset in uses}
    wanted = sorted({each for parents in above.values() for each in parents})
    try:
        asked = zfs.properties(("encryption",), wanted) if wanted else []
    except BkpError as exc:
        for dataset in above:
            builder.of("zfs.dataset", dataset).fail("zfs get", _reason(exc), ("open_parents",))
        return
    is_open = {each.dataset for each in asked if each.value == "off"}
    for dataset, parents in above.items():
        values = {"open_parents": tuple(each for each in parents if each in is_open)}
        builder.of("zfs.dataset", dataset).add("zfs get", values)


def _above(dataset: str) -> tuple[str, ...]:
    parts = dataset.partition("@")[0].split("/")
    return tuple("/".join(parts[:count]) for count in range(2, len(parts)))


def _pool_of(dataset: str) -> str:
    return dataset.partition("/")[0].partition("@")[0]


def _holders(builder: FactBuilder, config: Config, zfs: Zfs | None, mountinfo: Path) -> dict[str, str]:
    """Return the dataset of each local repository that lies on one; add zfs.repository_datasets."""
    source = "stat(2) of each repository, mountinfo (proc(5)), zfs list"
    found: dict[str, str] = {}
    problem: str | None = None
    for name, repository in config.repositories.items():
        if not repository.path.startswith("/"):
            continue
        try:
            dataset = _holder(repository, zfs, mountinfo)
        except (BkpError, OSError) as exc:
            problem = f"cannot tell where repository {name} lies: {_reason(exc)}"
            instance = f"repository {name}"  # a name no pool has: its dataset is not known, and must not be passed over
            builder.of("zfs.dataset", instance).fail(source, problem)
            continue
        if dataset is not None:
            found[name] = dataset
    if problem is not None:
        builder.of("zfs").fail(source, problem, ("repository_datasets",))
    else:
        builder.of("zfs").add(source, {"repository_datasets": tuple(dict.fromkeys(found.values()))})
    return found


def _holder(repository: Repository, zfs: Zfs | None, mountinfo: Path) -> str | None:
    """Return the dataset that holds the repository, or should: one that is not mounted leaves an empty folder."""
    path = os.path.realpath(repository.path)
    table = mount_table(mountinfo)
    try:
        return dataset_of(Path(path) / "config", table)
    except OSError:
        return _unmounted_holder(path, zfs) if zfs is not None else None


def _unmounted_holder(path: str, zfs: Zfs) -> str | None:
    over = [
        dataset
        for dataset in zfs.all_datasets()
        if dataset.canmount != "off" and f"{path}/".startswith(f"{dataset.mountpoint.rstrip('/')}/")
    ]
    deepest = max(over, key=lambda dataset: len(dataset.mountpoint), default=None)
    return deepest.name if deepest else None


def _ask(builder: FactBuilder, zfs: Zfs, dataset: str, *, below: bool) -> dict[str, dict[str, Property]]:
    """Return the properties of a dataset, and of those below it; where they cannot be had, add the error for it."""
    found: dict[str, dict[str, Property]] = {}
    try:
        for each in zfs.properties(_ASKED, (dataset,), below=below):
            found.setdefault(each.dataset, {})[each.name] = each
    except BkpError as exc:
        builder.of("zfs.dataset", dataset).fail("zfs get", _reason(exc))
        return {}
    return found


def _describe(
    builder: FactBuilder, zfs: Zfs, uses: Mapping[str, _Use], found: Mapping[str, Mapping[str, Property]]
) -> None:
    roots = {each["encryptionroot"].value for each in found.values() if "encryptionroot" in each} - _NO_ROOT
    locations, problem = _key_locations(zfs, sorted(roots))
    for dataset, use in uses.items():
        facts = builder.of("zfs.dataset", dataset)
        facts.add("its name", {"name": dataset, "pool": _pool_of(dataset)})
        values = {"sources": tuple(use.sources), "repositories": tuple(use.repositories)}
        facts.add("the configuration, mountinfo (proc(5))", values)
        if dataset not in found:
            continue
        for name, fact, read in _PROPERTIES:
            own = found[dataset].get(name)
            _property(facts, own, name, fact, read(own.value) if own is not None else None)
        _key(facts, found[dataset].get("encryptionroot"), locations, problem)


def _property(facts: FactGroup, own: Property | None, name: str, fact: str, value: object | None) -> None:
    """Add one property, and its source where that is a fact; what is not understood is an error, never absent."""
    values = {fact: value}
    if name in _SETTINGS:
        values[f"{fact}_source"] = own.origin if own is not None and own.origin in _ORIGINS else None
    said = f"{own.value!r} ({own.source}), which is not understood" if own is not None else "nothing"
    facts.add_known("zfs get", values, f"zfs says of {name} {said}")


def _keys(builder: FactBuilder, zfs: Zfs, uses: Mapping[str, _Use]) -> None:
    try:
        keys = keys_of(zfs, uses) if uses else {}
    except BkpError as exc:
        builder.of("zfs").fail("zfs get", _reason(exc), ("encryption_roots",))
        return
    add_keys(builder, keys)


def add_keys(builder: FactBuilder, keys: Mapping[str, ZfsKey]) -> None:
    """Add zfs.encryption_roots, and zfs.key.* of each."""
    builder.of("zfs").add("zfs get", {"encryption_roots": tuple(keys)})
    for root, key in keys.items():
        facts, values = builder.of("zfs.key", root), {"guid": key.guid, "form": key.form}
        facts.add("zfs get, hashed", values)
        why = "the file that holds it is not there, so whether it was changed is not known"
        facts.add_known("zfs get, hashed", {"fingerprint": key.fingerprint}, why)


def _key(facts: FactGroup, own: Property | None, locations: Mapping[str, str], problem: str | None) -> None:
    root = own.value if own is not None else ""
    if root in _NO_ROOT:
        facts.add("zfs get", {"encryption_root": None, "key_location": "none"})
        return
    facts.add("zfs get", {"encryption_root": root})
    reason = problem or "its encryption root does not say"
    facts.add_known("zfs get", {"key_location": locations.get(root)}, reason)


def _key_locations(zfs: Zfs, roots: list[str]) -> tuple[dict[str, str], str | None]:
    """Return the kind of place of each encryption root's key, never the place: `file:///root/key` is `file`."""
    if not roots:
        return {}, None
    try:
        properties = zfs.properties(("keylocation",), roots)
    except BkpError as exc:
        return {}, _reason(exc)
    return {each.dataset: each.value.partition(":")[0] for each in properties}, None


def _pool(facts: FactGroup, zfs: Zfs, name: str) -> None:
    facts.add("its name", {"name": name})
    source, silent = "zpool list", "the pool does not say"
    try:
        pool = zfs.pool(name)
        values = {
            "health": pool.health,
            "readonly": pool.readonly,
            "size_bytes": pool.size,
            "free_bytes": pool.free,
            "capacity": pool.capacity,
        }
        facts.add_known(source, values, silent)
        source = "zpool status"
        counts = zfs.error_counts(name)
    except BkpError as exc:
        facts.fail(source, _reason(exc))
        return
    errors = {
        "read_errors": counts.read,
        "write_errors": counts.write,
        "checksum_errors": counts.checksum,
        "data_errors": counts.data,
    }
    facts.add_known(source, errors, silent)


def _reason(exc: Exception) -> str:
    return exc.message if isinstance(exc, BkpError) else getattr(exc, "strerror", None) or "it cannot be read"
