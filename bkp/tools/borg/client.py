"""One borg repository, called as a program. Every call returns what was said and what it means; none is retried."""

from __future__ import annotations

import os
import shlex
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bkp.errors import StepFailedError
from bkp.secrets import SHORTEST_MASKED, Secret, read_passphrase
from bkp.state.fields import Outcome
from bkp.state.records import Message
from bkp.tools.borg import commands
from bkp.tools.borg.events import Event, parse_line
from bkp.tools.borg.outcome import Judgement, Problem, judge
from bkp.tools.borg.replies import ListReply, decode, utc
from bkp.tools.process import Command, Completed, clean_environment, run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from bkp.config.repositories import Repository

MAX_MESSAGES = 1000
_UNTESTED = {"BORG_SELFTEST": "disabled"}


@dataclass(frozen=True)
class Reply:
    """One borg call: what it said, and what that means."""

    operation: str
    completed: Completed
    messages: tuple[Message, ...]
    dropped: int
    judgement: Judgement
    remedy: str | None = None

    @property
    def ok(self) -> bool:
        """Return whether the call did its work, with or without warnings."""
        return self.judgement.outcome in {Outcome.SUCCESS, Outcome.WARNING}


class BorgError(StepFailedError):
    """A borg call failed. `problem` says why, as far as it can be told."""

    def __init__(self, reply: Reply) -> None:
        problem = reply.judgement.problem or Problem.OTHER
        reason = reply.judgement.reason or problem.value
        super().__init__(f"borg {reply.operation}: {reason}", remedy=reply.remedy or problem.remedy())
        self.problem = problem


@dataclass(frozen=True)
class ArchiveListing:
    """One archive of the repository; `started_at` is UTC."""

    name: str
    id: str
    started_at: datetime


@dataclass(frozen=True)
class Listing:
    """What `borg list` says of a repository: its identity and its archives, oldest first."""

    repository_id: str
    location: str
    encryption: str
    archives: tuple[ArchiveListing, ...]


def passphrase_of(repository: Repository) -> Secret | None:
    """Return the repository's passphrase; None where none is configured (not encrypted). Raise `SecretFileError`."""
    return read_passphrase(Path(repository.passphrase_file)) if repository.passphrase_file else None


def borg_environment(repository: Repository) -> Mapping[str, str]:
    """Return borg's environment: UTC, UTF-8, modern exit codes (1.4), no prompts. Never a secret."""
    base = {"BORG_BASE_DIR": repository.base_dir} if repository.base_dir else {}
    rsh = (
        {"SSH_AUTH_SOCK": sock}
        if (sock := os.environ.get("SSH_AUTH_SOCK")) and not repository.path.startswith("/")
        else {}
    )
    return {**clean_environment(), "BORG_EXIT_CODES": "modern", **base, **rsh}


def by_hand(repository: Repository) -> str:
    """Return how borg is called by hand so that it knows what our calls know; the passphrase it asks for."""
    base = f"BORG_BASE_DIR={shlex.quote(repository.base_dir)} " if repository.base_dir else ""
    return base + ("borg" if repository.borg == "/usr/bin/borg" else shlex.quote(repository.borg))


def _remedy(problem: Problem, repository: Repository) -> str:
    base = shlex.quote(repository.base_dir) if repository.base_dir else "~"
    return problem.remedy(by_hand(repository), repository.path, base)


class _Heard:
    """The messages of one call: the first ones, and the last errors, which often say what it came to.

    A damaged repository can be worth a million messages. Should the passphrase ever be among them, it is masked here.
    """

    def __init__(self, keep: Callable[[Message], bool] | None, secret: Secret | None) -> None:
        self._keep = keep
        self._secret = secret.reveal() if secret and len(secret.reveal()) >= SHORTEST_MASKED else None
        self._first: list[Message] = []
        self._last_errors: deque[Message] = deque(maxlen=MAX_MESSAGES // 10)
        self.dropped = 0

    @property
    def messages(self) -> tuple[Message, ...]:
        return (*self._first, *self._last_errors)

    def take(self, message: Message) -> Message:
        """Keep a message if there is room for it; return it as it may be shown."""
        if self._secret is not None and self._secret in f"{message.text}{message.msgid}":
            masked = message.text.replace(self._secret, "***")
            message = msgspec.structs.replace(message, text=masked, msgid=None)
        if len(self._first) < MAX_MESSAGES or (self._keep is not None and self._keep(message)):
            self._first.append(message)
        elif message.level == "error":
            self.dropped += len(self._last_errors) == self._last_errors.maxlen
            self._last_errors.append(message)
        else:
            self.dropped += 1
        return message


class Borg:
    """Calls borg for one repository. `watch` gets every event; `keep_open` descriptors stay open in the child.

    All calls together may take `timeout` seconds. `environment` is what borg's gets besides; never a secret. borg tests
    its own code at each start (`BORG_SELFTEST` in borg's manual, "Environment Variables"); once is enough for a run, so
    the calls after the first that went well leave it out.
    """

    def __init__(
        self,
        repository: Repository,
        passphrase: Secret | None,
        *,
        lock_wait: float = 60.0,
        watch: Callable[[Event], None] | None = None,
        keep_open: tuple[int, ...] = (),
        timeout: float | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.repository = repository
        self._environment = environment or {}
        self.lock_wait = lock_wait
        self._passphrase = passphrase
        self._watch = watch
        self._keep_open = keep_open
        self._tested = False
        self._deadline = None if timeout is None else time.monotonic() + timeout

    def command(self, arguments: tuple[str, ...], *, cwd: Path | None = None, secret: bool = True) -> Command:
        """Return the whole command for borg's `arguments`, as `call` runs it and a dry run shows it."""
        return Command(
            argv=(self.repository.borg, *arguments),
            environment={
                **borg_environment(self.repository),
                **self._environment,
                **(_UNTESTED if self._tested else {}),
            },
            passphrase=self._passphrase if secret else None,
            cwd=cwd,
            keep_open=self._keep_open,
        )

    def call(
        self,
        arguments: tuple[str, ...],
        *,
        cwd: Path | None = None,
        secret: bool = True,
        keep: Callable[[Message], bool] | None = None,
    ) -> Reply:
        """Run borg and return what it said and means. Raises only where borg cannot be started, or a signal comes.

        What borg says is kept up to a bound; messages that `keep` wants are never dropped.
        """
        heard = _Heard(keep, self._passphrase)

        def hear(line: bytes) -> None:
            event = parse_line(line)
            if isinstance(event, Message):
                event = heard.take(event)
            if event is not None and self._watch is not None:
                self._watch(event)

        left = None if self._deadline is None else max(0.1, self._deadline - time.monotonic())
        completed = run(self.command(arguments, cwd=cwd, secret=secret), on_stderr=hear, timeout=left)
        operation = arguments[0]
        self._tested = self._tested or completed.exit_code == 0
        judgement = judge(operation, completed.exit_code, heard.messages, timed_out=completed.timed_out)
        remedy = judgement.problem and _remedy(judgement.problem, self.repository)
        return Reply(operation, completed, heard.messages, heard.dropped, judgement, remedy)

    def demand(self, arguments: tuple[str, ...], *, cwd: Path | None = None, secret: bool = True) -> Reply:
        """Run borg and return its reply; raise `BorgError` unless it did its work."""
        reply = self.call(arguments, cwd=cwd, secret=secret)
        if not reply.ok:
            raise BorgError(reply)
        return reply

    def list_archives(self) -> Listing:
        """Return the repository's identity and archives (`borg list --json`)."""
        reply = self.demand(commands.list_archives(self.repository, lock_wait=self.lock_wait))
        return parse_listing(reply.completed.stdout)

    def key_export(self) -> bytes:
        """Return the key export's bytes (`borg key export`). It is itself sensitive: hash it, never show it."""
        arguments = commands.key_export(self.repository, lock_wait=self.lock_wait)
        return self.demand(arguments, secret=False).completed.stdout


def parse_listing(stdout: bytes) -> Listing:
    """Return what `borg list --json` printed."""
    data = decode(stdout, ListReply)
    return Listing(
        repository_id=data.repository.id,
        location=data.repository.location,
        encryption=data.encryption.mode,
        archives=tuple(ArchiveListing(each.name, each.id, utc(each.start)) for each in data.archives),
    )
