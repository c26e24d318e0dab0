"""What a job on a repository works with: its context, and borg on that repository with the passphrase read."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bkp.errors import StateError, StepFailedError
from bkp.patience import NoAnswerError, in_time
from bkp.secrets import loose_permissions
from bkp.state.fields import Outcome
from bkp.tools.borg import commands
from bkp.tools.borg.client import Borg, BorgError, Reply, passphrase_of
from bkp.tools.borg.events import Event, Progress
from bkp.tools.borg.local_id import id_in_file
from bkp.tools.borg.locks import all_dead, holders, is_borg
from bkp.tools.borg.outcome import Problem
from bkp.tools.borg.version import borg_version, refuse_unsupported
from runner.key_watch import note_key
from runner.lifecycle.context import RunContext

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bkp.config.repositories import Repository
    from bkp.secrets import Secret
    from bkp.state.records import Message
    from runner.lifecycle.recorder import StepNotes

_CACHE_REMOVED = (
    "borg's cache of this repository was damaged, as a power cut may leave it, and is removed; "
    "borg makes it anew from the repository, and reads every file again tonight"
)


@dataclass(frozen=True, kw_only=True)
class BorgSession(RunContext):
    """The context of a run, and borg on the run's repository."""

    repository: Repository
    borg: Borg

    def note(self, notes: StepNotes, reply: Reply) -> None:
        """Put what a borg call said into its step, the record and the log."""
        notes.exit_code = reply.completed.exit_code
        notes.message_ids += [message.msgid for message in reply.messages if message.msgid]
        if reply.judgement.outcome is Outcome.WARNING:
            notes.warn(reply.judgement.reason or "borg warned")
        self.recorder.add_messages(reply.messages, reply.dropped)

    def run_borg(
        self,
        notes: StepNotes,
        arguments: tuple[str, ...],
        *,
        cwd: Path | None = None,
        keep: Callable[[Message], bool] | None = None,
    ) -> Reply:
        """Run borg as (part of) a step; raise `BorgError` if it failed. What `keep` wants is never dropped.

        Nothing is removed by a run that cannot be recorded: `StateError`.
        A damaged cache, as a power cut leaves it, is removed once: borg makes it anew, and holds nothing else in it.
        """
        if arguments[0] in commands.REMOVING and (trouble := self.recorder.trouble) is not None:
            raise StateError(f"{trouble.message}: nothing was removed", remedy=trouble.remedy)
        reply = self._call(arguments, cwd, keep)
        if reply.judgement.problem is Problem.CACHE:
            self.tell("warning", [_CACHE_REMOVED])
            removed = self._call(commands.delete_cache(self.repository, lock_wait=self.options.lock_wait))
            reply = self._call(arguments, cwd, keep) if removed.ok else removed
        self.note(notes, reply)
        if not reply.ok:
            raise BorgError(reply)
        return reply

    def _call(
        self, arguments: tuple[str, ...], cwd: Path | None = None, keep: Callable[[Message], bool] | None = None
    ) -> Reply:
        self.log.detail(f"$ {self.borg.command(arguments)}")
        return self.borg.call(arguments, cwd=cwd, keep=keep)

    def break_dead_locks(self) -> None:
        """Remove locks whose holders are provably gone though their numbers live: borg itself would wait for them."""
        found = holders(self.repository, _base(self.repository))
        if not found:  # the usual case
            return
        dead = all_dead(found, os.uname().nodename, uuid.getnode(), is_borg)
        if any(Path(f"/proc/{holder.pid}").exists() for holder in dead):
            names = ", ".join(f"{holder.host} pid {holder.pid}" for holder in dead)
            self.tell("info", [f"removing the lock that a borg left behind which is gone: {names}"])
            reply = self._call(commands.break_lock(self.repository, lock_wait=self.options.lock_wait))
            if not reply.ok:
                raise BorgError(reply)


def _base(repository: Repository) -> str:
    return repository.base_dir or os.environ.get("HOME") or "/root"


def _insist_on_answers(repository: Repository, patience: float) -> None:
    """Raise `StepFailedError` where repository or borg's folder lies on a file system that does not answer.

    No time limit and no signal would end our own looks at it, as they end borg's.
    """
    for what, path in (("the repository", repository.path), ("borg's folder", _base(repository))):
        if not path.startswith("/"):
            continue
        try:
            in_time(partial(_look_at, path), patience)
        except NoAnswerError as exc:
            raise StepFailedError(
                f"{what} ({path}) cannot be read: {exc.strerror}",
                remedy="see whether the server or program behind that mount lives; `umount --force` ends what waits",
            ) from None


def _look_at(path: str) -> None:
    with suppress(OSError), os.scandir(path) as entries:  # what else is wrong with it borg says
        next(entries, None)


def open_borg(context: RunContext) -> BorgSession:
    """Return the session of a run: the passphrase is read, borg's version is recorded, dead locks are removed."""
    recorder, log = context.recorder, context.log
    repository = context.config.repositories[context.target]
    _insist_on_answers(repository, context.patience)
    if version := borg_version(repository.borg, context.store.root / "cache" / "borg.json"):
        recorder.update(versions={**recorder.run.versions, "borg": version})
        refuse_unsupported(repository.borg, version)
    recorder.update(subject=id_in_file(repository.path))
    passphrase = passphrase_of(repository)
    log.mask(passphrase)
    if repository.passphrase_file and (loose := loose_permissions(Path(repository.passphrase_file))):
        context.tell("warning", [loose])

    session = session_on(context, repository, passphrase)
    session.break_dead_locks()
    note_key(session, repository)
    return session


def session_on(
    context: RunContext,
    repository: Repository,
    passphrase: Secret | None,
    environment: Mapping[str, str] | None = None,
) -> BorgSession:
    """Return the session of a run on a repository, whose borg says what it does to the run's log and progress."""
    log = context.log

    def watch(event: Event) -> None:
        if isinstance(event, Progress):
            context.options.progress.update(event)
        elif event.level == "info":
            log.detail(event.text)
        else:
            log.say(event)

    timeout = context.config.job(context.recorder.run.job).timeout
    borg = Borg(
        repository,
        passphrase,
        lock_wait=context.options.lock_wait,
        watch=watch,
        keep_open=context.keep_open,
        timeout=timeout.total_seconds() if timeout else None,
        environment=environment,
    )
    own = {field.name: getattr(context, field.name) for field in fields(RunContext)}
    return BorgSession(**own, repository=repository, borg=borg)
