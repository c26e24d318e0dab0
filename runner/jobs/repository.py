"""What all jobs on a repository share: how a dry run shows borg's commands, and what their units may write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.tools.borg.client import Borg
from runner.jobs.model import DryRun

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bkp.config.model import Config
    from bkp.config.repositories import Repository

MASKED = "***"


def dry_run(
    job: str, config: Config, target: str, calls: Iterable[tuple[str, ...]], before: Sequence[tuple[str, ...]] = ()
) -> DryRun:
    """Return the commands: those of other programs `before`, then borg with the arguments of `calls`.

    No passphrase is read for it. The variable that would name its pipe is masked.
    """
    repository = config.repositories[target]
    borg = [Borg(repository, None).command(arguments) for arguments in calls]
    hidden = {borg[0].passphrase_variable: MASKED} if repository.passphrase_file else {}
    commands = (*before, *(command.argv for command in borg))
    return DryRun(job, target, commands, {**borg[0].environment, **hidden})


def written(config: Config, home: str) -> tuple[str, ...]:
    """Return what borg writes to: local repositories and borg's own folders."""
    found: list[str] = []
    for repository in config.repositories.values():
        found += [repository.path] if repository.path.startswith("/") else []
        found += borg_folders(repository, home)
    return tuple(found)


def borg_folders(repository: Repository, home: str) -> tuple[str, ...]:
    """Return borg's own folders: the cache, and what it knows of repositories (borg(1), BORG_BASE_DIR)."""
    base = repository.base_dir or home
    return f"{base}/.cache/borg", f"{base}/.config/borg"
