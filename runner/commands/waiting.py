"""Who has a repository now: said before a command waits for borg's lock, for borg itself waits without a word."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bkp.errors import BkpError
from bkp.jobs import Kind
from bkp.liveness import is_alive
from bkp.patience import PATIENCE, NoAnswerError, in_time
from runner.lifecycle.lock import describe, lock_path, read_holder

if TYPE_CHECKING:
    from bkp.config import Config


def say_who_holds(config: Config, target: str, wait: float) -> None:
    """Say on standard error who holds the repository and how long that is waited for (seconds), if anybody does.

    Raise `BkpError` where that cannot be seen, as a file system does not answer: borg would only wait for it, too.
    """
    try:
        who = in_time(partial(_who_holds, config, target), PATIENCE)
    except NoAnswerError as exc:
        raise BkpError(
            f"whether {target} is in use cannot be seen: {exc.strerror}",
            remedy="see whether the server or program behind the mount of the repository, or of borg's folder, lives",
        ) from None
    if who:
        click.echo(f"waiting up to {wait:.0f}s for the lock of {target}: {who}", err=True)


def _who_holds(config: Config, target: str) -> str:
    from bkp.tools.borg.locks import holders, is_borg

    repository = config.repositories[target]
    holder = read_holder(lock_path(Path(config.paths.lock), Kind.REPOSITORY, target))
    if holder is not None and is_alive(holder.process) is not False:
        return describe(holder)
    base = repository.base_dir or os.environ.get("HOME") or "/root"
    found = [each for each in holders(repository, base) if each is not None and is_borg(each.pid) is not False]
    return ", ".join(f"pid {each.pid} of {each.host}" for each in found)
