"""What a nightly would run, for --dry-run, and what its unit may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from bkp.archive_names import renamed
from bkp.jobs import NIGHTLY
from bkp.own_excludes import confined
from bkp.tools.borg import commands
from runner.jobs import repository as shared
from runner.jobs.model import READ_EVERYTHING, Rights
from runner.jobs.nightly.archive import first_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bkp.config.model import Config
    from bkp.config.repositories import Source
    from runner.jobs.model import DryRun

# Mounting, unshare(2) and ioctl(2) on /dev/zfs; setns(2) needs CAP_SYS_CHROOT besides.
_MOUNT = ("CAP_SYS_ADMIN", "CAP_SYS_CHROOT")


def dry_run(config: Config, target: str, lock_wait: float) -> DryRun:
    """Return the commands in the order in which a nightly would use them."""
    repository = config.repositories[target]
    sources = _confined({name: config.sources[name] for name in repository.sources})
    name = first_name(repository.prefix, "ID")
    paths = [_root(source) for source in sources]
    calls = [
        commands.create(repository, name, paths, sources, lock_wait=lock_wait, comment="bkp run ID"),
        commands.list_archives(repository, lock_wait=lock_wait, checkpoints=True),
        commands.rename(repository, name, renamed(name), lock_wait=lock_wait),
        commands.prune(repository, lock_wait=lock_wait),
        commands.compact(repository, lock_wait=lock_wait),
    ]
    return shared.dry_run(NIGHTLY.name, config, target, calls, before=_snapshots(config, target))


def _confined(sources: Mapping[str, Source]) -> list[Source]:
    """Return the sources with their patterns as borg is given them."""
    own = confined({name: each.exclude for name, each in sources.items()}, {n: [_root(s)] for n, s in sources.items()})
    return [replace(each, exclude=own[name]) for name, each in sources.items()]


def _root(source: Source) -> str:
    return source.path or source.mount_at or f"MOUNTPOINT-OF-{source.dataset}"


def _snapshots(config: Config, target: str) -> list[tuple[str, ...]]:
    """Return the commands that would snapshot and mount the datasets."""
    from bkp.tools.zfs import commands as zfs

    found: list[tuple[str, ...]] = []
    for name in config.repositories[target].sources:
        source = config.sources[name]
        if source.dataset is None:
            continue
        if config.replication_of(source.dataset) is not None:
            found += [
                zfs.list_received(source.dataset),
                zfs.hold_each("bkp:ID", [f"{source.dataset}@NEWEST-RECEIVED"]),
                zfs.mount_snapshot(source.dataset, "NEWEST-RECEIVED", _root(source)),
            ]
        else:
            found += [
                zfs.snapshot(source.dataset, "bkp-ID", {"bkp:run": "ID"}),
                zfs.hold(source.dataset, "bkp-ID", "bkp-ID"),
                zfs.mount_snapshot(source.dataset, "bkp-ID", _root(source)),
            ]
    return found


def rights(config: Config, home: str) -> Rights:
    """Return what the nightly's unit may do. Below a fixed path it makes the folders of a dataset's children."""
    sources = config.sources.values()
    datasets = any(source.dataset for source in sources)
    return Rights(
        writable=(*shared.written(config, home), *(source.mount_at for source in sources if source.mount_at)),
        reads=tuple(source.path for source in sources if source.path is not None),
        devices=("/dev/zfs",) if datasets else (),
        capabilities=READ_EVERYTHING + (_MOUNT if datasets else ()),
        mounts=datasets,
    )
