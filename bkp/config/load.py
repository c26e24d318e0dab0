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
from bkp.yamlfile.loader import MAX_BYTES, load_yaml
from bkp.yamlfile.typed import as_mapping, convert

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


def load_config(path: Path, *, schedules: bool = False) -> Config:
    """Return the configuration in `path`.

    `schedules`: refuse those that elapse no more. Only who writes the file is to be stopped by one: a job that its
    timer has started for the last time is not, and least of all a restore.

    Raises:
        ConfigError: anything about it is not as it should be (exit code 2).
    """
    return parse_config(_read(path), str(path), now=utc_now().astimezone(local_zone()) if schedules else None)


def parse_config(content: bytes | str, source: str = "config.yml", *, now: datetime | None = None) -> Config:
    """Return the configuration in `content`; `source` names it in errors.

    `now` is the time in the host's zone: a schedule that elapses no more is refused. Without it none is judged.
    """
    document = load_yaml(content, source, error=ConfigError)
    as_mapping(document, error=ConfigError)
    config = with_prefixes(convert(document, Config, decode_value, error=ConfigError))
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
