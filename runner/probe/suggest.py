"""`pools:` and `disks:` for the configuration, from what this host has. What is not sure stands there as a comment."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from bkp.config.texts import NAME, DiskInterface, DiskPath, PoolName
from bkp.device_names import disk_key
from bkp.disk_health.words import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bkp.disk_health.model import ScannedDevice

BY_ID = "/dev/disk/by-id"
# names that say which disk it is to a person come first; nvme-eui and nvme-nvme are numbers
_PREFERRED = (r"ata-", r"nvme-(?!eui\.|nvme\.)", r"wwn-", r"nvme-", r"scsi-", r"usb-", r"")
_PLAIN_INTERFACES = frozenset({"ata", "sat", "nvme", "scsi"})  # what smartctl finds by itself
_BRIDGE = "a USB bridge: all disks behind bridges of its kind may have this name"


@dataclass(frozen=True)
class FoundPool:
    """One imported pool and the whole devices of its vdevs; `unresolved` are vdevs that lead to no device."""

    name: str
    devices: tuple[str, ...] = ()
    unresolved: tuple[str, ...] = ()


@dataclass
class _Entry:
    name: str
    path: str | None
    interface: str | None
    remarks: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    @property
    def sure(self) -> bool:
        """Return whether it may stand in the configuration as it is."""
        return self.path is not None and not self.doubts


def suggestion(
    pools: Iterable[FoundPool],
    scanned: Iterable[ScannedDevice],
    links: Mapping[str, Iterable[str]],
    problems: Iterable[str],
) -> str:
    """Return both sections as YAML. `links` are the names below /dev/disk/by-id by the device that they lead to."""
    pools = list(pools)
    by_key: dict[str, list[str]] = {}
    for device, names in links.items():
        by_key.setdefault(disk_key(device), []).extend(names)
    entries: dict[str, _Entry] = {}
    for each in scanned:
        key = disk_key(each.name) if "," not in each.interface else f"{each.name} -d {each.interface}"
        entries[key] = _entry(each, by_key.get(key, []), {entry.name for entry in entries.values()})
    for pool in pools:
        for device in pool.devices:
            key = disk_key(device)
            if key not in entries:
                entries[key] = _named(device, by_key.get(key, []), {entry.name for entry in entries.values()})
                entries[key].doubts.append("smartctl does not find it: its health cannot be read")
            entries[key].remarks.append(f"pool {pool.name}")
    lines = [f"# not found: {clean(each)}" for each in problems]
    return "\n".join([*lines, *_pools(pools, entries), *_disks(entries)]) + "\n"


def _pools(pools: list[FoundPool], entries: Mapping[str, _Entry]) -> list[str]:
    if not pools:
        return ["pools: {}"]
    lines, taken = ["pools:"], set[str]()
    owners: dict[str, str] = {}
    for pool in pools:
        if re.fullmatch(_pattern(PoolName), pool.name) is None:
            lines.append(f"  # pool {clean(pool.name)} has a name that the configuration does not take")
            continue
        name = _unique(_plain(pool.name), taken)
        devices = {device: entries[disk_key(device)] for device in pool.devices}
        named = dict.fromkeys(entry.name for entry in devices.values() if entry.sure)
        shared = [each for each in named if owners.setdefault(each, pool.name) != pool.name]
        members = [each for each in named if each not in shared]
        unsure = [device for device, entry in devices.items() if not entry.sure]
        lines.append(f"  {_quoted(name)}:")
        lines += [f"    zfs_name: {_quoted(pool.name)}"] if name != pool.name else []
        lines.append(f"    disks: [{', '.join(map(_quoted, members))}]")
        lines += [f"    # its device {clean(each)} leads to no disk" for each in pool.unresolved]
        lines += [f"    # its device {clean(each)} is not below disks" for each in unsure]
        lines += [f"    # its disk {each} stands at pool {owners[each]}: a disk belongs to one pool" for each in shared]
    return lines if taken else [*lines[1:], "pools: {}"]


def _disks(entries: Mapping[str, _Entry]) -> list[str]:
    lines = []
    for key, entry in entries.items():
        lead = "  " if entry.sure else "  # "
        about = ", ".join([key, *entry.remarks])
        lines.append(f"  # {clean(about)}")
        lines += [f"  # not sure: {clean(each)}" for each in entry.doubts]
        lines.append(f"{lead}{_quoted(entry.name)}:")
        lines.append(f"{lead}  path: {entry.path or f'{BY_ID}/…'}")
        lines += [f"{lead}  interface: {_quoted(entry.interface)}"] if entry.interface else []
    any_sure = any(entry.sure for entry in entries.values())
    return ["disks:", *lines] if any_sure else [*lines, "disks: {}"]


def _entry(device: ScannedDevice, names: list[str], taken: set[str]) -> _Entry:
    entry = _named(device.name, names, taken)
    if device.open_error is not None:
        entry.doubts.append(f"smartctl could not open it: {device.open_error}")
    if device.interface not in _PLAIN_INTERFACES and re.fullmatch(_pattern(DiskInterface), device.interface):
        entry.interface = device.interface
    return entry


def _named(device: str, names: list[str], taken: set[str]) -> _Entry:
    best = best_name(names)
    if best is None:
        name = _unique(_plain(device.rpartition("/")[2]), taken)
        return _Entry(name, None, None, doubts=[f"no name below {BY_ID} leads to it, and {device} may change"])
    # the last word of a name is the serial number
    name = _unique(_plain(best if best.startswith("wwn-") else best.rpartition("_")[2]), taken)
    return _Entry(name, f"{BY_ID}/{best}", None, remarks=[_BRIDGE] if best.startswith("usb-") else [])


def best_name(names: Iterable[str]) -> str | None:
    """Return the name below /dev/disk/by-id that serves best: never a partition's, nor one that is refused."""
    whole = [name for name in names if not re.search(r"-part[0-9]+$", name)]
    fit = sorted(name for name in whole if re.fullmatch(_pattern(DiskPath), f"{BY_ID}/{name}"))
    return next((name for wanted in _PREFERRED for name in fit if re.match(wanted, name)), None)


def _plain(text: str) -> str:
    """Return a name that the configuration takes."""
    name = re.sub(r"[^a-z0-9_.-]", "-", text.lower()).lstrip("_.-")[:55]
    return name if re.fullmatch(NAME, name) else f"disk{name}"


def _unique(name: str, taken: set[str]) -> str:
    found, number = name, 2
    while found in taken:
        found, number = f"{name}-{number}", number + 1
    taken.add(found)
    return found


def _quoted(text: str) -> str:
    # a serial number of digits alone would be a number, and `on` a switch
    return f'"{text}"'


def _pattern(kind: object) -> str:
    return str(msgspec.json.schema(kind)["pattern"])
