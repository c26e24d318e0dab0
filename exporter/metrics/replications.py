"""What the pulls came to: how far each replica is behind, what was received, and what its live server refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.metrics.metric import MAX_PARTS, Metric, MetricSection, Table, label_text
from exporter.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bkp.past import Synced
    from bkp.state.results import ReplicaDataset, SyncResult
    from exporter.metrics.metric import Labels


def _pulls(model: Model) -> Iterator[tuple[Labels, Synced]]:
    for name, synced in model.pulls.items():
        yield (name,), synced


def _datasets(model: Model) -> Iterator[tuple[Labels, ReplicaDataset]]:
    for labels, synced in _pulls(model):
        for each in (synced.result.datasets or ())[:MAX_PARTS]:
            yield (*labels, label_text(each.dataset)), each


def _lacking(result: SyncResult) -> int | None:
    return len(result.lacking) if result.datasets is not None else None


_PULL = "result of the newest sync that recorded one"
SECTION = MetricSection[Model](
    "replications",
    "Replications",
    "What the newest pull of each replication came to, however it ended. The lag is `time()` less the newest common"
    " snapshot.",
    Table(
        ("replication",),
        lambda model: (((name,), each) for name, each in model.config.config.replications.items()),
        Metric(
            "bkp_replication_lag_warning_seconds",
            "From this age of the newest common snapshot on it is a warning.",
            "replications.NAME.lag_warning",
            lambda settings: settings.lag_warning.total_seconds(),
        ),
        Metric(
            "bkp_replication_lag_critical_seconds",
            "From this age of the newest common snapshot on it is critical.",
            "replications.NAME.lag_critical",
            lambda settings: settings.lag_critical.total_seconds(),
        ),
    ),
    Table(
        ("replication",),
        _pulls,
        Metric(
            "bkp_replication_measured_timestamp_seconds",
            "End of the pull that these values are from.",
            "ended_at of the same run",
            lambda synced: synced.ended_at,
        ),
        Metric(
            "bkp_replication_newest_common_timestamp_seconds",
            "When the live server made the newest snapshot in common with a dataset here: the oldest of those.",
            f"{_PULL}: datasets, least snapshot_at",
            lambda synced: synced.result.newest_common_at,
            absent="a dataset was never received, or the live server could not be asked yet",
        ),
        Metric(
            "bkp_replication_datasets",
            "Datasets of the live server that are to be pulled.",
            f"{_PULL}: datasets",
            lambda synced: len(synced.result.datasets) if synced.result.datasets is not None else None,
            absent="the live server could not be asked yet",
        ),
        Metric(
            "bkp_replication_lacking_datasets",
            "Datasets of the live server that have no snapshot in common with any here.",
            f"{_PULL}: datasets without a snapshot",
            lambda synced: _lacking(synced.result),
            absent="the live server could not be asked yet",
        ),
        Metric(
            "bkp_replication_received_bytes",
            "Bytes of the streams of the newest pull.",
            f"{_PULL}: bytes",
            lambda synced: synced.result.bytes,
            absent="nothing was sent, or pv is not installed",
        ),
        Metric(
            "bkp_replication_pull_duration_seconds",
            "How long syncoid ran in the newest pull.",
            f"{_PULL}: seconds",
            lambda synced: synced.result.seconds,
            absent="it did not come to that",
        ),
        Metric(
            "bkp_replication_cut_off_datasets",
            "Datasets with a receive that was cut off and can be resumed.",
            f"{_PULL}: partial",
            lambda synced: len(synced.result.partial),
        ),
        Metric(
            "bkp_replication_cut_off_timestamp_seconds",
            "Since when the oldest of them is seen.",
            f"{_PULL}: partial, least since",
            lambda synced: min((each.since for each in synced.result.partial), default=None),
            absent="there is none",
        ),
        Metric(
            "bkp_replication_gate_refused",
            "Whether the live server refused what it must refuse when that was tried last: 1 it did, 0 it did not.",
            f"{_PULL}: gate",
            lambda synced: synced.result.gate == "refused" if synced.result.gate is not None else None,
            absent="it was never tried",
        ),
        Metric(
            "bkp_replication_gate_tested_timestamp_seconds",
            "When that was tried last.",
            f"{_PULL}: gate_tested_at",
            lambda synced: synced.result.gate_tested_at,
            absent="it was never tried",
        ),
        absent="no pull of it as it is configured now has recorded anything",
    ),
    Table(
        ("replication", "dataset"),
        _datasets,
        Metric(
            "bkp_replication_dataset_newest_common_timestamp_seconds",
            "When the live server made the newest snapshot that it has in common with the dataset here.",
            f"{_PULL}: datasets, snapshot_at",
            lambda each: each.snapshot_at,
        ),
        absent="the dataset was never received, or the live server could not be asked yet",
    ),
)
