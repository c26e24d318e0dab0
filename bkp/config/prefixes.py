"""What a repository's archives are named after: the host, unless the configuration or an earlier night says otherwise.

Two hosts may share a repository; with one prefix each would prune the other's archives.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

if TYPE_CHECKING:
    from bkp.config.model import Config
    from bkp.config.repositories import Repository

HOST = "{host}"
_UNFIT = re.compile(r"[^A-Za-z0-9_.]")


def with_prefixes(config: Config) -> Config:
    """Return the configuration with each repository's prefix filled in.

    Where none is written, it is the one that the last nights used, as long as the state tells: neither a new default
    nor a new host name makes a server lose sight of its archives. Without any it is the host's name.
    """
    found = {
        name: replace(each, archive_prefix=_prefix(config, name, each)) for name, each in config.repositories.items()
    }
    return replace(config, repositories=found)


def host_part(host: str) -> str:
    """Return a host's name as a prefix holds it: a dash, which ends the prefix, becomes an underscore."""
    return _UNFIT.sub("_", host).lstrip("_.") or "host"


def _prefix(config: Config, name: str, repository: Repository) -> str:
    host = host_part(config.host or os.uname().nodename)
    if repository.archive_prefix is not None:
        return repository.archive_prefix.replace(HOST, host)
    from bkp.state.remembered import remembered
    from bkp.state.store import StateStore

    known = remembered(StateStore(Path(config.paths.state)), name)
    return (known.archive_prefix if known else None) or host
