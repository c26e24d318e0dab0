"""restore: get files back, into a new folder, never over the live tree."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bkp.archive_names import good_ones, of_the_future
from bkp.clock import utc_now
from bkp.config import load_config
from bkp.errors import BkpError, ExitCode, UsageError
from bkp.jobs import Kind
from runner.commands import options
from runner.commands.jobs import chosen_targets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bkp.config.values import Duration
    from bkp.tools.borg.client import ArchiveListing, Reply


@click.command(
    "restore",
    short_help="Restore an archive, or paths of it, into a new folder.",
    epilog=options.examples(
        "bkp-run restore latest --to /tank/restore",
        "bkp-run restore backup-20270101T013000Z-5f3a9c01 tank/Secure/backup/etc --to /tmp/etc",
        "bkp-run restore latest etc/hosts --to /tmp/x --dry-run",
    ),
)
@click.argument("archive")
@click.argument("paths", nargs=-1)
@click.option("--to", "folder", type=click.Path(path_type=Path), required=True, help="A folder that is new or empty.")
@options.target
@options.dry_run
@options.as_json
@options.lock_wait
@click.pass_obj
def restore_command(
    config_path: Path,
    archive: str,
    paths: tuple[str, ...],
    folder: Path,
    target: str | None,
    dry_run: bool,
    as_json: bool,
    lock_wait: Duration | None,
) -> int:
    """Restore ARCHIVE (a name, or "latest") into the folder named by --to; only PATHS of it, if any are given."""
    from bkp.tools.borg import commands
    from bkp.tools.borg.client import Borg, passphrase_of
    from bkp.tools.borg.events import Event, Progress
    from runner.lifecycle.signals import ending_signals_raise
    from runner.progress import NoProgress, ProgressSink, TerminalProgress

    config = load_config(config_path)
    names = chosen_targets(config, target, Kind.REPOSITORY)
    if len(names) > 1:
        raise UsageError("several repositories are configured", remedy=f"name one: --target {names[0]}")
    repository = config.repositories[names[0]]
    wait = (config.lock_wait if lock_wait is None else lock_wait).total_seconds()
    progress: ProgressSink = TerminalProgress() if sys.stderr.isatty() and not as_json else NoProgress()

    def watch(event: Event) -> None:
        if isinstance(event, Progress):
            progress.update(event)
        elif event.level != "info" or (dry_run and not as_json):
            click.echo(event.text, err=event.level != "info")

    borg = Borg(repository, passphrase_of(repository), lock_wait=wait, watch=watch)
    name = _resolve(archive, repository.prefix, borg.list_archives().archives)
    wanted = [path.lstrip("/") for path in paths]
    arguments = commands.extract(repository, name, wanted, lock_wait=wait, dry_run=dry_run, progress=not dry_run)
    if dry_run:
        if not as_json:
            click.echo(f"# would restore from {name} into {folder}:", err=True)
        reply = borg.call(arguments)
        _insist(reply, name, wanted)
    else:
        with _new_folder(folder):
            try:
                with ending_signals_raise():
                    reply = borg.call(arguments, cwd=folder)
            finally:
                progress.finish()
            _insist(reply, name, wanted)
    warned = any(message.level != "info" for message in reply.messages)
    if as_json and dry_run:
        from runner.jobs import repository as shared
        from runner.views import plan

        calls = [commands.extract(repository, name, wanted, lock_wait=wait, progress=True)]
        found = shared.dry_run("restore", config, names[0], calls)
        click.echo(plan.as_json(found, archive=name, folder=str(folder)))
    elif as_json:
        import msgspec

        click.echo(msgspec.json.encode({"archive": name, "folder": str(folder), "paths": wanted, "warnings": warned}))
    elif not dry_run:
        click.echo(f"restored {name} into {folder}", err=True)
    return ExitCode.WARNING if warned else ExitCode.SUCCESS


def _resolve(archive: str, prefix: str, archives: Sequence[ArchiveListing]) -> str:
    if archive == "latest":
        good = good_ones(archives, prefix)
        early = of_the_future(good, utc_now())
        if len(early) == len(good):
            what = f"no good archive but {early[0].name}, dated in the future," if early else "no good archive"
            raise UsageError(f"there is {what} to restore", remedy="name one: `bkp-run list` shows what there is")
        if early:
            click.echo(f"{early[0].name} is dated in the future: not taken for the latest", err=True)
        return good[len(good) - len(early) - 1].name
    names = [each.name for each in archives]
    if archive not in names:
        remedy = f"the newest is {names[-1]}; `bkp-run list` shows all" if names else "the repository is empty"
        raise UsageError(f"no archive {archive!r}", remedy=remedy)
    return archive


def _insist(reply: Reply, archive: str, wanted: Sequence[str]) -> None:
    """Raise what is wrong with the reply: a failure of borg, or paths that are not in the archive."""
    if not reply.ok:
        from bkp.tools.borg.client import BorgError

        raise BorgError(reply)
    never = [message.text for message in reply.messages if "never matched" in message.text]
    if never:
        raise BkpError(
            f"{len(never)} of {len(wanted)} paths are not in {archive}: {never[0]}",
            remedy="paths are written as archived, without a leading slash; --dry-run lists what matches",
        )


@contextlib.contextmanager
def _new_folder(folder: Path) -> Iterator[None]:
    """Make the folder, and take it away again if the block fails with nothing in it.

    Refuse one with anything in it, so that a restore never mixes with or replaces what is there.
    """
    made: list[Path] = []
    try:
        made = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UsageError(f"{folder} is not empty", remedy="restore into a new folder, then move what you need")
    except FileExistsError:
        raise UsageError(f"{folder} is a file", remedy="name a folder that is new or empty") from None
    except OSError as exc:
        raise BkpError(f"cannot make {folder}: {exc.strerror}", remedy="name another folder") from exc
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # something was restored: that stays
            for each in made:
                each.rmdir()
        raise


COMMANDS = (restore_command,)
