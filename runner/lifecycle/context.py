"""What a job's work may use: the configuration, the record, the log, and borg on its repository."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bkp.secrets import loose_permissions
from bkp.state.fields import Outcome
from bkp.state.records import Message
from bkp.tools.borg import commands
from bkp.tools.borg.client import Borg, BorgError, Reply, passphrase_of
from bkp.tools.borg.events import Event, Progress
from bkp.tools.borg.locks import all_dead, holders, is_borg
from bkp.tools.borg.outcome import Problem
from bkp.tools.borg.version import borg_version, refuse_unsupported

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bkp.clock import Clock
    from bkp.config.model import Config, Repository
    from bkp.state.records import Run
    from bkp.state.store import StateStore
    from runner.lifecycle.log import Log
    from runner.lifecycle.recorder import Recorder, StepNotes
    from runner.progress import ProgressSink


_CACHE_REMOVED = (
    "borg's cache of this repository was damaged, as a power cut may leave it, and is removed; "
    "borg makes it anew from the repository, and reads every file again tonight"
)


@dataclass(frozen=True)
class Options:
    """What the caller of a job decides: how long to wait for locks (seconds), who hears of progress.

    `accept_size`: an archive that is suspiciously small is right as it is.
    """

    lock_wait: float
    progress: ProgressSink
    accept_size: bool = False


@dataclass
class JobContext:
    """What a job's work may use."""

    config: Config
    target: str
    repository: Repository
    store: StateStore
    clock: Clock
    recorder: Recorder
    log: Log
    borg: Borg
    options: Options
    keep_open: tuple[int, ...]

    def tell(self, level: Literal["info", "warning", "error"], texts: Iterable[str]) -> None:
        """Say something and put it into the record."""
        messages = [Message(level=level, text=text) for text in texts]
        self.recorder.add_messages(messages)
        self.log.say_all(messages)

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

        A damaged cache, as a power cut leaves it, is removed once: borg makes it anew, and holds nothing else in it.
        """
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
        base = self.repository.base_dir or os.environ.get("HOME") or "/root"
        found = holders(self.repository, base)
        if not found:  # the usual case
            return
        import uuid

        dead = all_dead(found, os.uname().nodename, uuid.getnode(), is_borg)
        if any(Path(f"/proc/{holder.pid}").exists() for holder in dead):
            names = ", ".join(f"{holder.host} pid {holder.pid}" for holder in dead)
            self.tell("info", [f"removing the lock that a borg left behind which is gone: {names}"])
            reply = self._call(commands.break_lock(self.repository, lock_wait=self.options.lock_wait))
            if not reply.ok:
                raise BorgError(reply)


def open_context(
    run: Run, config: Config, options: Options, log: Log, clock: Clock, store: StateStore, recorder: Recorder, lock: int
) -> JobContext:
    """Return what the work of a run gets: its repository with the passphrase read, borg's version recorded."""
    repository = config.repositories[run.target]
    if version := borg_version(repository.borg, store.root / "cache" / "borg.json"):
        recorder.update(versions={**recorder.run.versions, "borg": version})
        refuse_unsupported(repository.borg, version)
    passphrase = passphrase_of(repository)
    log.mask(passphrase)
    if repository.passphrase_file and (loose := loose_permissions(Path(repository.passphrase_file))):
        recorder.add_messages((Message(level="warning", text=loose),))
        log.warning(loose)

    def watch(event: Event) -> None:
        if isinstance(event, Progress):
            options.progress.update(event)
        elif event.level == "info":
            log.detail(event.text)
        else:
            log.say(event)

    timeout = config.job(run.job).timeout
    borg = Borg(
        repository,
        passphrase,
        lock_wait=options.lock_wait,
        watch=watch,
        keep_open=(lock,),
        timeout=timeout.total_seconds() if timeout else None,
    )
    context = JobContext(config, run.target, repository, store, clock, recorder, log, borg, options, (lock,))
    context.break_dead_locks()
    return context
