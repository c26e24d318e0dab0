"""What several commands need: where rules, configuration and evidence come from, and which moment is meant."""

from __future__ import annotations

import contextlib
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bkp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditor.evidence import Evidence
    from bkp.config.model import Config

FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(readable=False, path_type=Path)  # why it cannot be read is said where it is read

rules_option = click.option(
    "--rules", "rules_dir", type=FOLDER, help="Folder of rules in place of the configured or shipped ones."
)


def rules_folder(given: Path | None, config: Config | None) -> Path:
    """Return the folder of rules: as given, as configured, as shipped."""
    from bkp.resources import data_dir

    if given is not None:
        return given
    return Path(config.audit.rules) if config is not None and config.audit.rules else data_dir("rules")


def read_config(path: Path) -> Config:
    """Return the configuration of this host."""
    from bkp.config import load_config

    return load_config(path)


def collect_live(config: Config, path: Path, rules: Path, now: datetime) -> Evidence:
    """Return the evidence of this host, saying on a terminal what is being looked at."""
    from auditor.facts.collect import collect

    with _progress() as say:
        return collect(config, path.absolute(), rules.absolute(), now, say)


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    if not sys.stderr.isatty():
        yield lambda _text: None
        return

    def say(text: str) -> None:
        sys.stderr.write(f"\r\x1b[Kcollecting evidence: {text}")
        sys.stderr.flush()

    try:
        yield say
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


def moment(text: str | None) -> datetime:
    """Return the moment to judge at: now, or the UTC time in `text`."""
    if text is None:
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not 1970 < found.year < 9000:
        raise UsageError(f"--at: found {text!r}, wanted a time with its zone, such as 2026-01-31T02:30:00Z")
    return found.astimezone(UTC)
