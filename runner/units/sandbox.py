"""What each unit may touch: as little as its work allows, and never so little that a backup would miss something.

A unit's sandbox is a mount namespace: what it hides (`PrivateTmp=`, `ProtectKernelModules=`) would be missing from an
archive of it. So whatever a source could hold stays visible.
"""

from __future__ import annotations

import os.path
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.jobs.model import Rights
from runner.jobs.repository import written

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bkp.config.model import Config
    from runner.units.facts import UnitFacts

_HOMES = ("/home", "/root", "/run/user")
_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108  # named, not used
_MODULES = ("/usr/lib/modules", "/lib/modules")


@dataclass(frozen=True)
class Sandbox:
    """The differing lines of a unit; `writable` and `devices` are paths that need not exist."""

    writable: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    mounts: bool = False
    restores: bool = False
    private_tmp: bool = True
    protect_modules: bool = True
    protect_home: str = "read-only"


def of_job(rights: Rights, config: Config, facts: UnitFacts) -> Sandbox:
    """Return the sandbox of a job's unit: what its job asks for, and what every run writes."""
    paths = config.paths
    writable = [paths.state, paths.log, paths.lock, *facts.mail_logs, *rights.writable]
    private_tmp = not _overlap((*writable, *rights.reads, facts.config), _TEMPORARY)
    if not private_tmp:
        writable += _TEMPORARY
    return Sandbox(
        writable=tuple(dict.fromkeys(writable)),
        devices=rights.devices,
        capabilities=rights.capabilities,
        mounts=rights.mounts,
        restores=rights.restores,
        private_tmp=private_tmp,
        protect_modules=not _overlap(rights.reads, _MODULES),
    )


def of_jobs(rights: Sequence[Rights], config: Config, facts: UnitFacts) -> Sandbox:
    """Return the sandbox of a unit that does the work of several jobs."""

    def all_of(name: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(each for one in rights for each in getattr(one, name)))

    together = Rights(all_of("writable"), all_of("reads"), all_of("devices"), all_of("capabilities"))
    return of_job(together, config, facts)


def of_audit(config: Config, facts: UnitFacts) -> Sandbox:
    """Return the sandbox of the audit's unit: it asks borg, and zfs of what the backup lies on."""
    local = any(repository.path.startswith("/") for repository in config.repositories.values())
    datasets = any(source.dataset for source in config.sources.values())
    devices = ("/dev/zfs",) if local or datasets else ()
    return of_job(Rights(writable=written(config, facts.home), devices=devices), config, facts)


def of_watch(config: Config, facts: UnitFacts) -> Sandbox:
    """Return the sandbox of the watch's unit, and of the one that mails for others: state, locks, and msmtp's log."""
    paths = config.paths
    writable = (paths.state, paths.lock, *facts.mail_logs)
    return Sandbox(writable=writable, private_tmp=not _overlap((*writable, facts.config), _TEMPORARY))


def of_probe(config: Config, facts: UnitFacts) -> Sandbox:
    """Return what the probe's unit may do: ask ZFS and the configured disks, and write its observations.

    CAP_SYS_ADMIN: NVMe's health (nvme(4), admin commands), and ZFS' exact number of data errors. CAP_SYS_RAWIO: what a
    SATA disk is asked goes through SCSI as a raw command. /dev/vcio is a Raspberry Pi's firmware (vcgencmd).
    """
    read = (config.paths.state, facts.config, facts.programs)
    return Sandbox(
        writable=(observed(config),),
        devices=("/dev/zfs", "/dev/vcio", *(disk.path for disk in config.disks.values())),
        capabilities=("CAP_SYS_ADMIN", "CAP_SYS_RAWIO") if config.disks else ("CAP_SYS_ADMIN",),
        private_tmp=not _overlap(read, _TEMPORARY),
        protect_home="read-only" if _overlap(read, _HOMES) else "yes",
    )


def observed(config: Config) -> str:
    """Return the folder of the observations."""
    return f"{config.paths.state}/observed"


def of_exporter(config: Config, facts: UnitFacts) -> Sandbox:
    """Return what the exporter's unit may do: read, and listen."""
    read = (config.paths.state, facts.config, facts.programs)
    return Sandbox(
        capabilities=("CAP_NET_BIND_SERVICE",) if config.exporter.listen.port < 1024 else (),
        private_tmp=not _overlap(read, _TEMPORARY),
        protect_home="read-only" if _overlap(read, _HOMES) else "yes",
    )


def _overlap(paths: Iterable[str], folders: Iterable[str]) -> bool:
    """Return whether one of `paths` lies in one of `folders`, or the other way round."""
    first = [os.path.normpath(path).rstrip("/") + "/" for path in paths]
    second = [f"{folder}/" for folder in folders]
    return any(one.startswith(other) or other.startswith(one) for one in first for other in second)
