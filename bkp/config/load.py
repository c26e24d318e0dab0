"""Configuration file to `Config`: strict, with one error that says file, line, key, found and wanted."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from bkp.clock import local_zone, utc_now
from bkp.config.checks import check, check_schedules
from bkp.config.model import Config
from bkp.config.prefixes import with_prefixes
from bkp.config.values import decode_value
from bkp.errors import ConfigError
from bkp.yamlfile.loader import MAX_BYTES
from bkp.yamlfile.typed import load_typed

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


def load_config(path: Path, *, schedules: bool = False) -> Config:
    """Return the configuration in `path`.

    `schedules`: also refuse a schedule that never elapses again. Whoever edits the file wants to know; a run, and
    least of all a restore, must not fail because of it.

    Raises:
        ConfigError: the file cannot be read, or is not valid (exit code 2).
    """
    return parse_config(_read(path), str(path), now=utc_now().astimezone(local_zone()) if schedules else None)


def parse_config(content: bytes | str, source: str = "config.yml", *, now: datetime | None = None) -> Config:
    """Return the configuration in `content`; `source` names it in errors.

    `now`, in the host's zone: refuse a schedule that never elapses after it. None: do not judge schedules.
    """
    document, config = load_typed(content, source, Config, decode_value, error=ConfigError)
    config = with_prefixes(config)
    check(document, config)
    if now is not None:
        check_schedules(document, config, now)
    return config


def _read(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as handle:
            if not stat.S_ISREG(os.fstat(handle.fileno()).st_mode):
                raise ConfigError(str(path), None, "not a regular file")
            return handle.read(MAX_BYTES + 1)
    except FileNotFoundError:
        remedy = "write one (`bkp-run config example` prints a commented one) or name it with --config"
        raise ConfigError(str(path), None, "no such configuration file", remedy=remedy) from None
    except IsADirectoryError:
        raise ConfigError(str(path), None, "is a directory, not a file") from None
    except OSError as exc:
        raise ConfigError(str(path), None, f"cannot be read: {exc.strerror}", remedy="check its permissions") from None
