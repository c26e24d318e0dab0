"""The host, as the probe last saw it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.observations import HostSeen, Kernels, Schedulers
from exporter.metrics.metric import Labels, Metric, MetricSection, Table, label_text
from exporter.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterator

_ABSENT = "the host does not tell, or was never looked at"


def _host(model: Model) -> Iterator[tuple[Labels, HostSeen]]:
    if model.inventory.host is not None and model.inventory.host.value is not None:
        yield (), model.inventory.host.value


def _kernels(model: Model) -> Iterator[tuple[Labels, Kernels]]:
    for labels, seen in _host(model):
        if seen.kernels is not None:
            yield labels, seen.kernels


def _schedulers(model: Model) -> Iterator[tuple[Labels, Schedulers]]:
    for labels, seen in _host(model):
        if seen.schedulers is not None:
            yield labels, seen.schedulers


SECTION = MetricSection[Model](
    "host",
    "Host",
    "What of the host the pools and disks depend on.",
    Table[Model, HostSeen](
        (),
        _host,
        Metric(
            "bkp_host_undervoltage",
            "1 if the power supply was too weak at some time since the host started.",
            "observed/host.json: undervoltage",
            lambda seen: seen.undervoltage,
        ),
        Metric(
            "bkp_host_usb_resets",
            "Resets of USB devices since the host started.",
            "observed/host.json: usb_resets",
            lambda seen: seen.usb_resets,
        ),
        Metric(
            "bkp_host_zfs_cache_bytes",
            "Size of ZFS's cache in memory (ARC).",
            "observed/host.json: arc_bytes",
            lambda seen: seen.arc_bytes,
        ),
        absent=_ABSENT,
    ),
    Table[Model, Kernels](
        (),
        _kernels,
        Metric(
            "bkp_host_kernel_info",
            "The running kernel, and the newest that is installed (empty: not known).",
            "observed/host.json: kernels.running, kernels.newest",
            lambda kernels: (label_text(kernels.running), label_text(kernels.newest or "")),
            labels=("running", "newest"),
        ),
        Metric(
            "bkp_host_newest_kernel_has_zfs",
            "1 if the newest installed kernel has a ZFS module, 0 if not: after a restart there is no pool.",
            "observed/host.json: kernels.newest_has_zfs",
            lambda kernels: kernels.newest_has_zfs,
        ),
        absent=_ABSENT,
    ),
    Table[Model, Schedulers](
        (),
        _schedulers,
        Metric(
            "bkp_host_scrub_schedules",
            "How many schedules start scrubs; there should be one.",
            "observed/host.json: schedulers.scrubs",
            lambda found: len(found.scrubs),
        ),
        Metric(
            "bkp_host_self_test_schedules",
            "How many schedules start self-tests; there should be one.",
            "observed/host.json: schedulers.self_tests",
            lambda found: len(found.self_tests),
        ),
        absent=_ABSENT,
    ),
)
