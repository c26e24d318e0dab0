"""What a nightly would run, for --dry-run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.tools.borg import commands
from runner.nightly.archive import archive_name

if TYPE_CHECKING:
    from bkp.config.model import Config


def planned(config: Config, target: str, lock_wait: float) -> list[tuple[str, ...]]:
    """Return borg's arguments in the order in which a nightly would use them, for --dry-run."""
    repository = config.repositories[target]
    sources = [config.sources[name] for name in repository.sources]
    name = archive_name(repository.archive_prefix, "ID", complete=True)
    paths = [source.path or source.mount_at or f"MOUNTPOINT-OF-{source.dataset}" for source in sources]
    return [
        commands.create(repository, name, paths, sources, lock_wait=lock_wait, comment="bkp run ID"),
        commands.list_archives(repository, lock_wait=lock_wait),
        commands.prune(repository, lock_wait=lock_wait),
        commands.compact(repository, lock_wait=lock_wait),
    ]


def planned_snapshots(config: Config, target: str) -> list[tuple[str, ...]]:
    """Return the commands that a nightly would use to snapshot and mount its datasets, for --dry-run."""
    from bkp.tools.zfs import commands as zfs

    found: list[tuple[str, ...]] = []
    for name in config.repositories[target].sources:
        source = config.sources[name]
        if source.dataset is not None:
            found += [
                zfs.snapshot(source.dataset, "bkp-ID", {"bkp:run": "ID"}),
                zfs.hold(source.dataset, "bkp-ID", "bkp-ID"),
                zfs.mount_snapshot(source.dataset, "bkp-ID", source.mount_at or f"MOUNTPOINT-OF-{source.dataset}"),
            ]
    return found
