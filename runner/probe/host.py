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
    from collections.abc import Iterator

    from bkp.clock import Clock
    from runner.probe.asking import Ask
    from runner.probe.devices import Host

SOURCE = "/sys /proc /lib/modules /etc journalctl"
KSTAT = "/proc/spl/kstat/zfs"
_JOURNALS = ("/run/log/journal", "/var/log/journal")
_PLATFORM, _HWMON = "/sys/devices/platform", "/sys/class/hwmon"
_SINCE_BOOT = 1 << 16  # get_throttled: under-voltage has occurred since boot; bit 0 is now
_NOW = 1 << 0
_RESET = re.compile(r"usb [0-9.-]+: reset .*USB device number [0-9]+")
_UNDERVOLTAGE = re.compile(r"[Uu]nder-voltage detected")


def look_at_host(host: Host, ask: Ask, clock: Clock, running: str | None = None) -> Sight[HostSeen]:
    """Look at the host. `running` is the running kernel's release (uname(2))."""
    log = _kernel_log(host, ask)
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


def _kernel_log(host: Host, ask: Ask) -> list[str] | None:
    """Return the lines of this boot's kernel log that matter; None where it cannot be had."""
    answer = ask(commands.KERNEL_LOG, commands.OTHER_SECONDS)
    if answer.refusal is None:
        return answer.text.splitlines()
    # journalctl ends with 1 and no word where nothing matches, and where there is no journal
    nothing_matches = answer.exit_code == 1 and not answer.stderr.strip() and any(map(host.names, _JOURNALS))
    return [] if nothing_matches else None


def _undervoltage(host: Host, ask: Ask, log: list[str] | None) -> bool | None:
    """Return whether the supply was too weak since boot: by the firmware's bits, or by the kernel's word for it."""
    if any(_UNDERVOLTAGE.search(line) for line in log or ()) or any(_in_kernels_files(host)):
        return True
    answer = ask(commands.THROTTLED, commands.OTHER_SECONDS)
    found = re.fullmatch(r"throttled=0x([0-9a-fA-F]{1,16})\s*", answer.text) if answer.refusal is None else None
    return None if found is None else bool(int(found[1], 16) & (_SINCE_BOOT | _NOW))


def _in_kernels_files(host: Host) -> Iterator[bool]:
    """Yield what the kernel's files say. A 0 in them means nothing: the driver clears the bits that it reads."""
    for soc in host.names(_PLATFORM):
        for firmware in host.names(f"{_PLATFORM}/{soc}") if soc.startswith("soc") else ():
            said = host.text(f"{_PLATFORM}/{soc}/{firmware}/get_throttled") if "firmware" in firmware else None
            found = re.fullmatch(r"(?:0x)?([0-9a-fA-F]{1,16})\s*", said or "")
            yield found is not None and bool(int(found[1], 16) & (_SINCE_BOOT | _NOW))
    for chip in host.names(_HWMON):
        if (host.text(f"{_HWMON}/{chip}/name") or "").strip() == "rpi_volt":
            yield (host.text(f"{_HWMON}/{chip}/in0_lcrit_alarm") or "").strip() == "1"


def _arc_bytes(host: Host) -> int | None:
    found = re.search(r"(?m)^size +[0-9]+ +([0-9]+)$", host.text(f"{KSTAT}/arcstats") or "")
    return int(found[1]) if found else None
