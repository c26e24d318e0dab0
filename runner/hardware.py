"""What jobs on pools and disks ask of the hardware: the probe's own questions, each under its time limit."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from bkp import decoding
from bkp.clock import utc_now
from bkp.disk_health.model import SelfTestResult
from bkp.observations import DiskSeen, PoolSeen
from bkp.tools.pysmart_tester import Started
from runner.probe import commands
from runner.probe.asking import Asker
from runner.probe.devices import Host
from runner.probe.disks import look_at_disk
from runner.probe.host import kernel_state
from runner.probe.join import devices_of
from runner.probe.pools import look_at_pool
from runner.probe.sight import Unseen

if TYPE_CHECKING:
    from bkp.config.model import Config
    from bkp.disk_health.model import SelfTest

SECONDS = 120.0  # for all questions of one look


def see_pool(name: str) -> PoolSeen | Unseen:
    """Look at a pool, and at which whole device each of its vdevs lies on."""
    host = Host()
    look = look_at_pool(name, Asker(time.monotonic() + SECONDS), utc_now, kernel_state(host, name), configured=False)
    found = look.status.found
    return found if isinstance(found, Unseen) else PoolSeen(health=found, devices=devices_of(found, host.whole_device))


def see_disk(config: Config, name: str, *, wake: bool = False) -> DiskSeen | Unseen:
    """Ask one configured disk, which stays asleep if it sleeps, unless it is to `wake`."""
    host, disk = Host(), config.disks[name]
    ask = Asker(time.monotonic() + SECONDS)
    real_path = host.real_path(disk.path)
    seen = look_at_disk(disk, real_path, None, ask, utc_now, always=True).found
    if wake and isinstance(seen, DiskSeen) and seen.asleep:
        ask(commands.smart(disk.path, disk.interface, wake=True), commands.SMARTCTL_SECONDS)
        seen = look_at_disk(disk, real_path, None, ask, utc_now, always=True).found
    return seen


def start_test(device: str, interface: str, kind: str) -> Started:
    """Have pySMART start a self-test of a disk that is awake, in a process of its own."""
    answer = Asker(time.monotonic() + SECONDS)(commands.start_test(device, interface, kind), commands.SMARTCTL_SECONDS)
    if (refusal := answer.refusal) is not None:
        return Started(error=refusal)
    try:
        return decoding.decode(answer.stdout, Started)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        return Started(error=f"its answer cannot be read: {exc}")


def disk_names(config: Config) -> dict[str, str]:
    """Return the names of the configured disks by the device that each leads to now."""
    host = Host()
    real = {name: host.real_path(disk.path) for name, disk in config.disks.items()}
    return {path: name for name, path in real.items() if path is not None}


def members(config: Config, name: str, seen: PoolSeen | Unseen) -> tuple[str, ...]:
    """Return the disks of a configured pool: those that the configuration gives it, and those that it lies on."""
    names = {} if isinstance(seen, Unseen) else disk_names(config)
    found = () if isinstance(seen, Unseen) else (names[path] for path in seen.devices.values() if path in names)
    return tuple(dict.fromkeys((*config.pools[name].disks, *found)))


def running_test(seen: DiskSeen | Unseen) -> SelfTest | None:
    """Return the self-test that runs in a disk now, as far as it tells."""
    if isinstance(seen, Unseen) or seen.health is None or seen.asleep:
        return None
    newest = next(iter(seen.health.self_tests or ()), None)
    return newest if newest is not None and newest.result is SelfTestResult.IN_PROGRESS else None


def tested_disks(config: Config, names: tuple[str, ...]) -> list[str]:
    """Return those of the disks in which a self-test runs."""
    return [name for name in names if running_test(see_disk(config, name)) is not None]
