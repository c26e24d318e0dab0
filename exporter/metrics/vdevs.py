"""Every device of every pool, and the groups that they form."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bkp.inventory import leaves
from bkp.zfs_health.model import Vdev, every_vdev, gravity, root_vdev
from exporter.metrics.metric import Labels, Metric, MetricSection, Table, Value, label_text
from exporter.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_VDEVS = 300  # of one pool, the gravest first
VDEV_STATES = (
    "online", "degraded", "faulted", "offline", "removed", "unavail", "suspended", "split", "avail", "inuse", "unknown",
)  # fmt: skip
_ABSENT = "zpool did not tell, or the pool was never seen"


class _Device(NamedTuple):
    vdev: Vdev
    current: bool
    disk: str
    model: str


def _vdevs(model: Model) -> Iterator[tuple[Labels, _Device]]:
    names = model.inventory.disk_names
    models = {
        disk.name: disk.seen.health.identity.model
        for disk in model.inventory.disks
        if disk.seen is not None and disk.seen.health is not None
    }
    for entry in model.inventory.pools:
        seen = entry.seen
        if seen is None or not seen.health.imported:
            continue
        disks = {vdev: names.get(path or "", "") for vdev, path in leaves(seen)}
        root = root_vdev(seen.health)
        devices: dict[str, Vdev] = {}  # a spare in use is listed twice; the graver word counts
        for vdev in sorted(every_vdev(seen.health), key=gravity, reverse=True):
            if vdev is not root:
                devices.setdefault(label_text(vdev.guid or vdev.name), vdev)
        for key, vdev in list(devices.items())[:MAX_VDEVS]:
            disk = disks.get(vdev, "")
            yield (label_text(entry.name), key), _Device(vdev, entry.current, disk, models.get(disk) or "")


def _state(device: _Device) -> Value:
    word = (device.vdev.state or "unknown").lower() if device.current else "unknown"
    return word if word in VDEV_STATES else "unknown"


def _info(device: _Device) -> Labels:
    vdev = device.vdev
    return (label_text(vdev.path or vdev.was or vdev.name), label_text(device.disk), label_text(device.model))


SECTION = MetricSection[Model](
    "vdevs",
    "Devices of the pools",
    "Devices and groups of devices, of any depth. vdev is the guid, or the name where zpool does not tell the guid;"
    f" bkp_vdev_info has the path. At most {MAX_VDEVS} of a pool, the gravest first.",
    Table[Model, _Device](
        ("pool", "vdev"),
        _vdevs,
        Metric(
            "bkp_vdev_info",
            "Path of the device or name of the group, with the configured name and the model of its disk (empty: not"
            " known).",
            "observed/pools.json: health.vdevs, devices; observed/disks.json: health.identity.model",
            _info,
            labels=("path", "disk", "model"),
        ),
        Metric(
            "bkp_vdev_state",
            "State of the device now, in ZFS's words: 1 for the one that holds, 0 for the others.",
            "observed/pools.json: health.vdevs.state",
            _state,
            labels=("state",),
            states=VDEV_STATES,
        ),
        Metric(
            "bkp_vdev_read_errors",
            "Read errors since the counters were last cleared.",
            "observed/pools.json: health.vdevs.read",
            lambda device: device.vdev.read,
        ),
        Metric(
            "bkp_vdev_write_errors",
            "Write errors since the counters were last cleared.",
            "observed/pools.json: health.vdevs.write",
            lambda device: device.vdev.write,
        ),
        Metric(
            "bkp_vdev_checksum_errors",
            "Checksum errors since the counters were last cleared.",
            "observed/pools.json: health.vdevs.checksum",
            lambda device: device.vdev.checksum,
        ),
        absent=_ABSENT,
    ),
)
