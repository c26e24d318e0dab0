"""Each dataset that was seen, or that the backup needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.inventory import DatasetEntry
from bkp.zfs_health.model import DatasetHealth
from exporter.metrics.metric import MAX_PARTS, Labels, Metric, MetricSection, Table, Value, label_text
from exporter.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterator

_ABSENT = "zfs did not tell, or the dataset was never seen"
_NOT_SEEN = "zfs did not tell, or the last look did not see the dataset or is too long ago"


def _datasets(model: Model) -> Iterator[tuple[Labels, DatasetEntry]]:
    for entry in model.inventory.datasets[:MAX_PARTS]:
        yield (label_text(entry.name),), entry


def _seen(model: Model) -> Iterator[tuple[Labels, DatasetHealth]]:
    for labels, entry in _datasets(model):
        if entry.seen is not None:
            yield labels, entry.seen


def _key(entry: DatasetEntry) -> Value:
    if not entry.current or entry.seen is None:
        return None
    return {"available": True, "unavailable": False}.get(entry.seen.key_status or "")


def _mounted(entry: DatasetEntry) -> Value:
    return entry.seen.mounted if entry.current and entry.seen is not None else None


SECTION = MetricSection[Model](
    "datasets",
    "Datasets",
    f"By ZFS's name, those of the backup first. At most {MAX_PARTS}.",
    Table[Model, DatasetEntry](
        ("dataset",),
        _datasets,
        Metric(
            "bkp_dataset_in_backup",
            "1 if a source or a repository is known to lie on it, 0 if none is.",
            "configuration: sources, repositories; observed/datasets.json: mountpoint",
            lambda entry: bool(entry.uses),
            absent="there is no such dataset",
        ),
        Metric(
            "bkp_dataset_key_available",
            "1 if the key of the dataset is loaded now, 0 if not.",
            "observed/datasets.json: key_status",
            _key,
            absent=f"the dataset is not encrypted, or {_NOT_SEEN}",
        ),
        Metric(
            "bkp_dataset_mounted",
            "1 if the dataset is mounted now, 0 if not.",
            "observed/datasets.json: mounted",
            _mounted,
            absent=f"it is a volume, or {_NOT_SEEN}",
        ),
    ),
    Table[Model, DatasetHealth](
        ("dataset",),
        _seen,
        Metric(
            "bkp_dataset_readonly",
            "1 if the dataset is read-only.",
            "observed/datasets.json: readonly",
            lambda seen: seen.readonly,
        ),
        Metric(
            "bkp_dataset_receive_in_progress",
            "1 if a receive into it was begun and has not come to its end.",
            "observed/datasets.json: receiving",
            lambda seen: seen.receiving,
        ),
        Metric(
            "bkp_dataset_used_bytes",
            "What the dataset and all below it occupy.",
            "observed/datasets.json: used",
            lambda seen: seen.used,
        ),
        Metric(
            "bkp_dataset_available_bytes",
            "What can still be written to it.",
            "observed/datasets.json: available",
            lambda seen: seen.available,
        ),
        Metric(
            "bkp_dataset_quota_bytes",
            "Its quota; 0: none.",
            "observed/datasets.json: quota",
            lambda seen: seen.quota,
        ),
        Metric(
            "bkp_dataset_snapshots",
            "How many snapshots it has.",
            "observed/datasets.json: snapshots.count",
            lambda seen: seen.snapshots.count if seen.snapshots is not None else None,
        ),
        Metric(
            "bkp_dataset_newest_snapshot_timestamp_seconds",
            "When its newest snapshot was made.",
            "observed/datasets.json: snapshots.newest",
            lambda seen: seen.snapshots.newest if seen.snapshots is not None else None,
            absent=f"it has none, or {_ABSENT}",
        ),
        absent=_ABSENT,
    ),
)
