"""The host: undervoltage, resets of USB devices, ZFS' cache, kernels, and who else schedules. None is not known."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from bkp.observations import HostSeen
from runner.probe import commands
from runner.probe.kernels import look_at_kernels
from runner.probe.schedulers import look_for_schedulers
from runner.probe.sight import Sight

if TYPE_CHECKING:
    from bkp.clock import Clock
    from runner.probe.asking import Ask
    from runner.probe.devices import Host

SOURCE = "/sys /proc /lib/modules /etc journalctl"
KSTAT = "/proc/spl/kstat/zfs"
_THROTTLED = "/sys/devices/platform/soc/soc:firmware/get_throttled"
_SINCE_BOOT = 1 << 16  # get_throttled: under-voltage has occurred since boot; bit 0 is now
_NOW = 1 << 0
_RESET = re.compile(r"usb [0-9.-]+: reset .*USB device number [0-9]+")
_UNDERVOLTAGE = re.compile(r"[Uu]nder-voltage detected")


def look_at_host(host: Host, ask: Ask, clock: Clock, running: str | None = None) -> Sight[HostSeen]:
    """Look at the host. `running` is the running kernel's release (uname(2))."""
    log = _kernel_log(ask)
    value = HostSeen(
        undervoltage=_undervoltage(host, ask, log),
        usb_resets=None if log is None else sum(_RESET.search(line) is not None for line in log),
        arc_bytes=_arc_bytes(host),
        kernels=look_at_kernels(host, running or os.uname().release),
        schedulers=look_for_schedulers(host),
    )
    return Sight(SOURCE, clock(), value)


def kernel_state(host: Host, pool: str) -> str | None:
    """Return the kernel's own word for a pool's state: it does not hang where zpool does. None: not told."""
    return (host.text(f"{KSTAT}/{pool}/state") or "").strip() or None


def imported_pools(host: Host) -> tuple[str, ...] | None:
    """Return the pools that the kernel has; None where it does not tell."""
    if not host.file(KSTAT).is_dir():
        return None
    return tuple(name for name in host.names(KSTAT) if host.file(f"{KSTAT}/{name}").is_dir())


def _kernel_log(ask: Ask) -> list[str] | None:
    """Return the lines of this boot's kernel log that matter; None where it cannot be had."""
    answer = ask(commands.KERNEL_LOG, commands.OTHER_SECONDS)
    # journalctl ends with 1 where nothing matches
    if answer.problem is not None or (answer.exit_code != 0 and (answer.exit_code != 1 or answer.stderr.strip())):
        return None
    return answer.text.splitlines()


def _undervoltage(host: Host, ask: Ask, log: list[str] | None) -> bool | None:
    """Return whether the supply was too weak since boot: by the firmware's bits, or by the kernel's word for it."""
    if any(_UNDERVOLTAGE.search(line) for line in log or ()):
        return True
    answer = ask(commands.THROTTLED, commands.OTHER_SECONDS)
    # vcgencmd says `throttled=0x50000`, the kernel's file `50000`
    found = re.fullmatch(r"throttled=0x([0-9a-fA-F]+)\s*", answer.text) if answer.refusal is None else None
    found = found or re.fullmatch(r"(?:0x)?([0-9a-fA-F]+)\s*", host.text(_THROTTLED) or "")
    return None if found is None else bool(int(found[1], 16) & (_SINCE_BOOT | _NOW))


def _arc_bytes(host: Host) -> int | None:
    found = re.search(r"(?m)^size +[0-9]+ +([0-9]+)$", host.text(f"{KSTAT}/arcstats") or "")
    return int(found[1]) if found else None
