"""Concerns about the datasets that the backup needs: those of sources, and those that hold repositories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.concerns.model import Concern

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from bkp.concerns.model import ConcernSeverity
    from bkp.inventory import DatasetEntry, Inventory
    from bkp.zfs_health.model import DatasetHealth


def concerns(inventory: Inventory) -> Iterator[Concern]:
    """Yield them. The others of a pool are nobody's concern here."""
    for entry in inventory.datasets:
        if entry.uses:
            yield from _one(entry)


def _one(entry: DatasetEntry) -> Iterator[Concern]:
    part = entry.part
    if part is None:
        why = "it is not there, or its pool is not imported"
        yield _about(entry, "dataset_unknown", "warning", why, f"`zfs list {entry.name}` says whether it is there")
        return
    unknown = [f"the last look saw nothing: {part.error}"] if part.error is not None else []
    seen = part.value
    if seen is not None:
        if _is_locked(seen):
            remedy = f"`zfs load-key {seen.encryption_root or entry.name}`, then `zfs mount -a`"
            yield _about(entry, "dataset_locked", "critical", "its key is not loaded", remedy)
        elif _should_be_mounted(entry, seen) and seen.mounted is False:
            remedy = f"`zfs mount {entry.name}`; look for files that lie where it should be"
            yield _about(entry, "dataset_unmounted", "critical", "it is not mounted", remedy)
        if _may_be_locked(seen):
            unknown.append("whether its key is loaded is not told")
        if seen.mounted is None and _should_be_mounted(entry, seen):
            unknown.append("whether it is mounted is not told")
    if unknown:
        why = f"it cannot be seen: {'; '.join(unknown)}"
        since = part.seen_at if part.error is not None else None
        yield _about(entry, "dataset_unknown", "warning", why, f"`zfs get all {entry.name}` says more", since)


def _is_locked(seen: DatasetHealth) -> bool:
    return seen.key_status == "unavailable"


def _may_be_locked(seen: DatasetHealth) -> bool:
    return seen.encryption != "off" and seen.key_status not in {"available", "unavailable"}


def _should_be_mounted(entry: DatasetEntry, seen: DatasetHealth) -> bool:
    """Return whether it must be mounted: always under a repository; a source may be a replica that never is."""
    if seen.kind not in {None, "filesystem"} or seen.mountpoint in {"none", "legacy"}:
        return False
    return seen.can_mount in {None, "on"} or any(use.startswith("repository ") for use in entry.uses)


def _about(
    entry: DatasetEntry, kind: str, severity: ConcernSeverity, why: str, remedy: str, since: datetime | None = None
) -> Concern:
    name = f"dataset {entry.name}"
    return Concern(kind, severity, name, f"{name} ({', '.join(entry.uses)}): {why}", remedy, since)
