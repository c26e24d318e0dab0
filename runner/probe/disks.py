"""One disk: whether it is there, what smartctl says of it, and pySMART's second reading. Answers are handed in."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import msgspec

from bkp import decoding
from bkp.device_names import disk_key
from bkp.disk_health.attached import read_attached
from bkp.disk_health.model import DiskHealth, ExitBit, PowerState, ScannedDevice, Unknown
from bkp.disk_health.second import SecondReading, disagreements
from bkp.observations import PROBE_EVERY, SMART_EVERY, DiskSeen
from bkp.state.observed import seen
from runner.probe import commands
from runner.probe.sight import Sight, Unseen, merged

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from bkp.clock import Clock
    from bkp.config.storage import Disk
    from bkp.state.observed import Part
    from runner.probe.asking import Ask, ToolAnswer

_NOTHING_READ = frozenset({ExitBit.COMMAND_LINE, ExitBit.OPEN_FAILED})
_NOT_THERE = ("No such device", "No such file")


def is_due(before: Part[DiskSeen] | None, real_path: str, now: datetime) -> bool:
    """Return whether smartctl is to be asked: an hour after it was last asked, or earlier if the last look failed."""
    if before is None or before.value is None or before.error is not None:
        return True
    asked = before.value.asked_at
    if asked is None or before.value.real_path != real_path:
        return True
    # half a look earlier, so that an hour does not become an hour and five minutes; a clock set back asks anew
    return not asked <= now < asked + SMART_EVERY - PROBE_EVERY / 2


def look_at_disk(
    disk: Disk, real_path: str | None, before: Part[DiskSeen] | None, ask: Ask, clock: Clock, *, always: bool
) -> Sight[DiskSeen]:
    """Look whether a configured disk is there, and ask smartctl if it is time. `always`: whenever it was last asked."""
    argv = commands.smart(disk.path, disk.interface)
    source = shlex.join(argv)
    if real_path is None:
        return Sight(source, clock(), Unseen(f"{disk.path} is not there", missing=True))
    old = before.value if before is not None else None
    if old is not None and not always and not is_due(before, real_path, clock()):
        return Sight(source, clock(), msgspec.structs.replace(old, path=disk.path, configured=True))
    answer = ask(argv, commands.SMARTCTL_SECONDS)
    health, at = _health(answer), clock()
    if isinstance(health, Unseen):
        return Sight(answer.source, at, health)
    if health.power is PowerState.ASLEEP:
        kept = old or DiskSeen(path=disk.path)
        kept = msgspec.structs.replace(kept, path=disk.path, real_path=real_path, asleep=True, asked_at=at)
        return Sight(answer.source, at, msgspec.structs.replace(kept, configured=True))
    second = _second(real_path, disk.interface or health.interface, ask)
    value = DiskSeen(
        path=disk.path,
        real_path=real_path,
        health=health,
        health_at=at,
        asked_at=at,
        second=second,
        disagreements=disagreements(health, second),
    )
    return Sight(answer.source, at, value)


def _health(answer: ToolAnswer) -> DiskHealth | Unseen:
    if answer.problem is not None:
        return Unseen(answer.problem)
    health = read_attached(answer.stdout, ended_with=answer.exit_code)
    if not isinstance(health, DiskHealth):
        why = health.reason if isinstance(health, Unknown) else "it printed a list of disks"
        return Unseen(f"what smartctl printed cannot be read: {why}")
    if (
        health.power is PowerState.ASLEEP
        or not _NOTHING_READ & set(health.exit_bits or ())
        or health.passed is not None
    ):
        return health
    said = "; ".join(health.messages) or answer.refusal or "smartctl could not open the disk"
    return Unseen(said, missing=any(words in said for words in _NOT_THERE))


def _second(device: str, interface: str | None, ask: Ask) -> SecondReading:
    if interface is None:
        return SecondReading(error="smartctl did not say by which interface it reads the disk")
    answer = ask(commands.second(device, interface), commands.SMARTCTL_SECONDS)
    if (refusal := answer.refusal) is not None:
        return SecondReading(error=refusal)
    try:
        return decoding.decode(answer.stdout, SecondReading)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        return SecondReading(error=f"its reading cannot be read: {exc}")


def look_for_disks(ask: Ask, clock: Clock, *, opening: bool = False) -> Sight[tuple[ScannedDevice, ...]]:
    """Look which disks there are. Without `opening` them none wakes, and their interface is a guess."""
    answer = ask(commands.SCAN_OPEN if opening else commands.SCAN, commands.SMARTCTL_SECONDS)
    found = read_attached(answer.stdout, ended_with=answer.exit_code) if answer.problem is None else None
    if isinstance(found, list):
        return Sight(answer.source, clock(), tuple(found))
    reason = found.reason if isinstance(found, Unknown) else None
    return Sight(answer.source, clock(), Unseen(answer.refusal or reason or "smartctl printed no list of disks"))


def merge_disks(
    looks: Mapping[str, Sight[DiskSeen]],
    configured: Mapping[str, Disk],
    scan: Sight[tuple[ScannedDevice, ...]],
    vdevs: Iterable[str],
    real_paths: Mapping[str, str | None],
    before: Mapping[str, Part[DiskSeen]],
) -> dict[str, Part[DiskSeen]]:
    """Return the parts of the disks, and those of disks that were found and nobody configured.

    `vdevs` are the whole devices that pools lie on; `real_paths` are those of the configured disks, by name. While
    the scan cannot be had, what an earlier one found stays.
    """
    parts = {name: merged(sight, before.get(name)) for name, sight in looks.items()}
    known = {disk_key(path) for path in real_paths.values() if path is not None}
    interfaces = {disk.interface for disk in configured.values()}
    if isinstance(scan.found, Unseen):
        names = [name for name, part in before.items() if part.value is not None and not part.value.configured]
        for name in names:
            if disk_key(name) not in known:
                parts[name] = merged(Sight(scan.source, scan.at, scan.found), before[name])
        known |= {disk_key(name) for name in names}
        scanned = []
    else:
        scanned = [each for each in scan.found if not _is_behind(each, interfaces)]
    vdevs = tuple(vdevs)
    whole = {disk_key(device): device for device in vdevs}
    for name in (*(_name(each) for each in scanned), *vdevs):
        if disk_key(name) not in known:
            known.add(disk_key(name))
            found = DiskSeen(path=name, real_path=whole.get(disk_key(name), name), configured=False)
            parts[name] = seen(found, scan.source, scan.at)
    return parts


def _is_behind(device: ScannedDevice, interfaces: set[str | None]) -> bool:
    """Return whether it is a configured disk behind a controller, whose device stands for all disks there."""
    return "," in device.interface and device.interface in interfaces


def _name(device: ScannedDevice) -> str:
    return f"{device.name} -d {device.interface}" if "," in device.interface else device.name
