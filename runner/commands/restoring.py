"""restore: get files back, into a new folder, never over the live tree."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import click

from bkp.archive_names import good_ones, of_the_future
from bkp.clock import utc_now
from bkp.config import load_config
from bkp.errors import BkpError, ExitCode, InterruptedRunError, UsageError
from bkp.jobs import Kind
from bkp.patience import in_time
from runner.commands import options
from runner.commands.restore_folder import lost_there, new_folder, refuse_used
from runner.commands.running import chosen_targets
from runner.commands.waiting import say_who_holds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bkp.config import Config
    from bkp.config.values import Duration
    from bkp.tools.borg.client import ArchiveListing, Reply
    from bkp.tools.borg.events import Event
    from runner.progress import ProgressSink


@click.command(
    "restore",
    short_help="Restore an archive, or paths of it, into a new folder.",
    epilog=options.examples(
        "bkp-run restore latest --to /tank/restore",
        "bkp-run restore server-20270101T013000Z-5f3a9c01 tank/Secure/backup/etc --to /tmp/etc",
        "bkp-run restore latest etc/hosts --to /tmp/x --dry-run",
    ),
)
@click.argument("archive")
@click.argument("paths", nargs=-1)
@click.option("--to", "folder", type=options.PlaceType(), required=True, help="A folder that is new or empty.")
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
    from runner.lifecycle.signals import ending_signals_raise

    config = load_config(config_path)
    names = chosen_targets(config, target, Kind.REPOSITORY)
    if len(names) > 1:
        raise UsageError("several repositories are configured", remedy=f"name one: --target {names[0]}")
    wait = (config.lock_wait if lock_wait is None else lock_wait).total_seconds()
    whole = any(path and not path.strip("/") for path in paths)  # all that is archived lies below /
    wanted = () if whole else tuple(path.lstrip("/") for path in paths)
    restore = _Restore(config, names[0], archive, wanted, folder, wait, dry_run=dry_run, as_json=as_json)
    with ending_signals_raise(until_the_end=True) as signals:
        signals.arm()
        return restore.run()


@dataclass(frozen=True)
class _Restore:
    """One restore: what, from where, whereto. `wait`: how many seconds to wait for the repository's lock."""

    config: Config
    target: str
    archive: str
    paths: tuple[str, ...]
    folder: Path
    wait: float
    dry_run: bool
    as_json: bool

    def run(self) -> ExitCode:
        """Restore, or say what would be; a signal ends it with `InterruptedRunError`, and what is restored stays."""
        from bkp.tools.borg import commands
        from bkp.tools.borg.client import Borg, passphrase_of
        from runner.progress import NoProgress, TerminalProgress

        progress: ProgressSink = TerminalProgress() if sys.stderr.isatty() and not self.as_json else NoProgress()
        repository = self.config.repositories[self.target]
        borg = Borg(repository, passphrase_of(repository), lock_wait=self.wait, watch=self._watcher(progress))
        in_time(partial(refuse_used, self.folder), None)  # a signal ends that, though a file system may never answer
        say_who_holds(self.config, self.target, self.wait)
        name = _resolve(self.archive, repository.prefix, borg.list_archives().archives)
        arguments = commands.extract(
            repository,
            name,
            self.paths,
            lock_wait=self.wait,
            dry_run=self.dry_run,
            progress=not self.dry_run,
            sparse=not self.dry_run,
        )
        if self.dry_run:
            if not self.as_json:
                click.echo(f"# would restore from {name} into {self.folder}:", err=True)
            reply = borg.call(arguments)
            _insist(reply, name, self.paths)
        else:
            with new_folder(self.folder):
                try:
                    reply = borg.call(arguments, cwd=self.folder)
                except InterruptedRunError as exc:
                    raise InterruptedRunError(exc.signal_name, f"what {self.folder} holds is a part of {name}") from exc
                finally:
                    progress.finish()
                _insist(reply, name, self.paths)
        lost = [] if self.dry_run else lost_there(self.folder)
        for warning in lost:
            click.echo(f"warning: {warning}", err=True)
        warned = bool(lost) or any(message.level != "info" for message in reply.messages)
        self._tell(name, warned=warned)
        return ExitCode.WARNING if warned else ExitCode.SUCCESS

    def _watcher(self, progress: ProgressSink) -> Callable[[Event], None]:
        from bkp.tools.borg.events import Progress

        def watch(event: Event) -> None:
            if isinstance(event, Progress):
                progress.update(event)
            elif event.level != "info" or (self.dry_run and not self.as_json):
                click.echo(event.text, err=event.level != "info")

        return watch

    def _tell(self, name: str, *, warned: bool) -> None:
        if self.as_json and self.dry_run:
            from bkp.tools.borg import commands
            from runner.jobs import repository as shared
            from runner.views import plan

            repository = self.config.repositories[self.target]
            calls = [
                commands.extract(repository, name, self.paths, lock_wait=self.wait, progress=True, sparse=True),
            ]
            found = shared.dry_run("restore", self.config, self.target, calls)
            click.echo(plan.as_json(found, archive=name, folder=str(self.folder)))
        elif self.as_json:
            import msgspec

            said = {"archive": name, "folder": str(self.folder), "paths": self.paths, "warnings": warned}
            click.echo(msgspec.json.encode(said))
        elif not self.dry_run:
            click.echo(f"restored {name} into {self.folder}", err=True)


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


COMMANDS = (restore_command,)
