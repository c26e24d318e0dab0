"""What each unit may touch: as little as its work allows, and never so little that a backup would miss something.

A unit's sandbox is a mount namespace: what it hides (`PrivateTmp=`, `ProtectKernelModules=`) would be missing from an
archive of it. So whatever a source could hold stays visible.
"""

from __future__ import annotations

import os.path
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bkp.config.model import Config, Repository
    from runner.units.facts import Facts

# Reading and writing whatever root's nightly is asked to, whoever owns it; O_NOATIME on it needs CAP_FOWNER.
_READ = ("CAP_DAC_READ_SEARCH", "CAP_DAC_OVERRIDE", "CAP_FOWNER")
# Mounting, unshare(2) and ioctl(2) on /dev/zfs; setns(2) needs CAP_SYS_CHROOT besides.
_MOUNT = ("CAP_SYS_ADMIN", "CAP_SYS_CHROOT")
# Giving restored files their owners, modes and file capabilities back.
_RESTORE = ("CAP_CHOWN", "CAP_FSETID", "CAP_SETFCAP")
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


def of_job(job: str, config: Config, facts: Facts) -> Sandbox:
    """Return what the unit of one of bkp-run's jobs, or of the audit, may do."""
    datasets = any(source.dataset for source in config.sources.values())
    writable = [config.paths.state, config.paths.log, config.paths.lock, *facts.mail_logs]
    writable += [path for repository in config.repositories.values() for path in _written(repository, facts)]
    read = [source.path for source in config.sources.values() if source.path is not None and job == "nightly"]
    if job == "nightly":  # below a fixed path it makes the folders of the children
        writable += [source.mount_at for source in config.sources.values() if source.mount_at]
    if job == "drill":
        writable.append(config.paths.scratch_dir)
    mounts = job == "nightly" and datasets
    private_tmp = not _overlap((*writable, *read, facts.config), _TEMPORARY)
    if not private_tmp:
        writable += _TEMPORARY
    return Sandbox(
        writable=tuple(dict.fromkeys(writable)),
        devices=("/dev/zfs",) if _asks_zfs(job, config, datasets=datasets) else (),
        capabilities=_READ + (_MOUNT if mounts else ()) + (_RESTORE if job == "drill" else ()),
        mounts=mounts,
        restores=job == "drill",
        private_tmp=private_tmp,
        protect_modules=not _overlap(read, _MODULES),
    )


def _asks_zfs(job: str, config: Config, *, datasets: bool) -> bool:
    """Return whether the job asks zfs: the audit also of the dataset that a local repository may lie on."""
    local = any(repository.path.startswith("/") for repository in config.repositories.values())
    return (datasets and job in {"nightly", "audit"}) or (local and job == "audit")


def of_exporter(config: Config, facts: Facts) -> Sandbox:
    """Return what the exporter's unit may do: read, and listen."""
    read = (config.paths.state, facts.config, facts.programs)
    return Sandbox(
        capabilities=("CAP_NET_BIND_SERVICE",) if config.exporter.listen.port < 1024 else (),
        private_tmp=not _overlap(read, _TEMPORARY),
        protect_home="read-only" if _overlap(read, _HOMES) else "yes",
    )


def borg_folders(repository: Repository, facts: Facts) -> tuple[str, ...]:
    """Return borg's own folders: the cache, and what it knows of repositories (borg(1), BORG_BASE_DIR)."""
    base = repository.base_dir or facts.home
    return f"{base}/.cache/borg", f"{base}/.config/borg"


def _written(repository: Repository, facts: Facts) -> Iterable[str]:
    local = (repository.path,) if repository.path.startswith("/") else ()
    return *local, *borg_folders(repository, facts)


def _overlap(paths: Iterable[str], folders: Iterable[str]) -> bool:
    """Return whether one of `paths` lies in one of `folders`, or the other way round."""
    first = [os.path.normpath(path).rstrip("/") + "/" for path in paths]
    second = [f"{folder}/" for folder in folders]
    return any(one.startswith(other) or other.startswith(one) for one in first for other in second)
