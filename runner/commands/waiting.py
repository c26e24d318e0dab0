"""Who has a repository now: said before a command waits for borg's lock, for borg itself waits without a word."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bkp.jobs import Kind
from bkp.liveness import is_alive
from runner.lifecycle.lock import describe, lock_path, read_holder

if TYPE_CHECKING:
    from bkp.config import Config


def say_who_holds(config: Config, target: str, wait: float) -> None:
    """Say on standard error who holds the repository and how long that is waited for (seconds), if anybody does."""
    from bkp.tools.borg.locks import holders, is_borg

    repository = config.repositories[target]
    holder = read_holder(lock_path(Path(config.paths.lock), Kind.REPOSITORY, target))
    if holder is not None and is_alive(holder.process) is not False:
        who = describe(holder)
    else:
        base = repository.base_dir or os.environ.get("HOME") or "/root"
        found = [each for each in holders(repository, base) if each is not None and is_borg(each.pid) is not False]
        who = ", ".join(f"pid {each.pid} of {each.host}" for each in found)
    if who:
        click.echo(f"waiting up to {wait:.0f}s for the lock of {target}: {who}", err=True)
