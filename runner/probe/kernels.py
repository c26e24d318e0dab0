"""Which kernel the next boot starts, and whether it has ZFS: before the boot is the time to hear of a lack."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bkp.observations import Kernels

if TYPE_CHECKING:
    from runner.probe.devices import Host

_MODULES = "/lib/modules"
# 6.1.0-13-amd64, 6.12.117+deb13-amd64, 6.12.25+rpt-rpi-2712: what follows the version is the flavour
_FLAVOUR = re.compile(r"[0-9][0-9.]*(?:[+~][A-Za-z0-9.~]+)?(?:-(?:rc)?[0-9]+)?-(?P<flavour>[A-Za-z].*)")
_PLACES = ("updates", "extra", "weak-updates", "kernel/zfs", "kernel/fs", "kernel/extra")


def look_at_kernels(host: Host, running: str) -> Kernels:
    """Return the running and the newest installed kernel of the same flavour, and whether that one has zfs.ko."""
    installed = [name for name in host.names(_MODULES) if host.file(f"{_MODULES}/{name}/kernel").is_dir()]
    newest = newest_of(installed, running)
    return Kernels(running=running, newest=newest, newest_has_zfs=None if newest is None else _has_zfs(host, newest))


def newest_of(installed: list[str], running: str) -> str | None:
    """Return the newest kernel of the running one's flavour: a Raspberry Pi has one for each of its models."""
    alike = [name for name in installed if _flavour(name) == _flavour(running)]
    return max(alike or installed, key=_order, default=None)


def _flavour(name: str) -> str | None:
    found = _FLAVOUR.fullmatch(name)
    return found["flavour"] if found else None


def _order(name: str) -> tuple[tuple[int, str], ...]:
    # as dpkg orders versions: `~` before the end, numbers as numbers
    return tuple(
        (int(part), "") if part.isdigit() else (-2 if part.startswith("~") else -1, part)
        for part in re.findall(r"[0-9]+|[^0-9]+", name)
    )


def _has_zfs(host: Host, kernel: str) -> bool | None:
    folder = f"{_MODULES}/{kernel}"
    try:
        built_in = host.text(f"{folder}/modules.builtin") or ""
        loadable = host.text(f"{folder}/modules.dep") or ""
        if re.search(r"(?m)/zfs\.ko\b", built_in + loadable):
            return True
        # dkms may have put it there without depmod(8)
        return any(any(host.file(f"{folder}/{place}").rglob("zfs.ko*")) for place in _PLACES)
    except OSError:
        return None
