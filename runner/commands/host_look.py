"""What the configuration names and this host lacks: looked at, and nothing started."""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bkp.errors import BkpError
from bkp.patience import PATIENCE, NoAnswerError, in_time
from bkp.secrets import loose_permissions, read_passphrase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bkp.config import Config
    from bkp.config.repositories import Repository


def missing_here(config: Config) -> list[str]:
    """Return a sentence for everything that a job or the probe would lack: not datasets, nor what is on other hosts."""
    return list(dict.fromkeys(_missing(config)))


def _missing(config: Config) -> Iterator[str]:
    for name, repository in config.repositories.items():
        looks = (partial(_passphrase, repository), partial(_repository, repository), partial(_program, repository.borg))
        for look in looks:
            if (problem := _answered(look)) is not None:
                yield f"repositories.{name}: {problem}"
    for name, source in config.sources.items():
        if source.path is not None and (problem := _answered(partial(_folder, source.path))) is not None:
            yield f"sources.{name}: {source.path} {problem}"
    yield from _pulled_and_pinged(config)
    yield from _watched(config)
    if config.mail.when != "never" and (problem := _program(config.mail.msmtp)) is not None:
        yield f"mail.msmtp: {problem}"


def _pulled_and_pinged(config: Config) -> Iterator[str]:
    for name, pull in config.replications.items():
        if (problem := _program(pull.syncoid)) is not None:
            yield f"replications.{name}: {problem}"
        for file in (pull.identity_file, pull.known_hosts):
            if (problem := _answered(partial(_file, file))) is not None:
                yield f"replications.{name}: {file} {problem}: docs/replication.md says how to make it"
    for job, address in config.heartbeat.address_files.items():
        if (problem := _answered(partial(_file, address))) is not None:
            yield f"heartbeat.address_files.{job}: {address} {problem}"


def _watched(config: Config) -> Iterator[str]:
    """Yield what the probe would not find. Which pools are imported the kernel tells: zpool itself may hang."""
    from bkp.tools.process import SAFE_PATH
    from runner.probe.devices import Host
    from runner.probe.host import KSTAT

    host = Host()
    for program, section in (("zpool", config.pools), ("smartctl", config.disks)):
        if section and shutil.which(program, path=SAFE_PATH) is None:
            yield f"{program} is not installed: {', '.join(section)} cannot be watched"
    for name in config.pools:
        pool = config.zpool(name)
        if not host.file(f"{KSTAT}/{pool}").is_dir():
            yield f"pools.{name}: no pool {pool} is imported"
    for name, disk in config.disks.items():
        if host.real_path(disk.path) is None:
            yield f"disks.{name}: nothing is at {disk.path}"


def _answered(look: Callable[[], str | None]) -> str | None:
    """Return what a look found to be wrong, or that a file system does not answer."""
    try:
        return in_time(look, PATIENCE)
    except NoAnswerError as exc:
        return f"cannot be seen: {exc.strerror}"


def _folder(path: str) -> str | None:
    return None if Path(path).is_dir() else "is not there, or is no folder"


def _file(path: str) -> str | None:
    return None if Path(path).is_file() else "is not there"


def _passphrase(repository: Repository) -> str | None:
    if repository.passphrase_file is None:
        return None
    path = Path(repository.passphrase_file)
    try:
        read_passphrase(path)
    except BkpError as exc:
        return str(exc)
    return loose_permissions(path)


def _repository(repository: Repository) -> str | None:
    """Return what is wrong with a repository of this host; whether its passphrase opens it is borg's to say."""
    if not repository.path.startswith("/"):
        return None
    path = Path(repository.path)
    try:
        path.stat()
        with (path / "config").open("rb"):
            return None
    except FileNotFoundError:
        return f"there is no repository at {path}: is its file system mounted, or has it yet to be made (borg init)?"
    except OSError as exc:
        return f"{path} cannot be read: {exc.strerror}"


def _program(path: str) -> str | None:
    return None if os.access(path, os.X_OK) else f"{path} is not installed, or not executable"
