"""What a run says: a file in the log folder for later, and stderr for the journal or the person who watches."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, TextIO

from bkp.errors import BkpError
from bkp.secrets import SHORTEST_MASKED
from bkp.state.files import make_dir
from bkp.state.records import Message

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bkp.clock import Clock
    from bkp.secrets import Secret

_PRIORITY = {"error": "<3>", "warning": "<4>", "info": "<6>"}


class LogFileError(BkpError):
    """The log file cannot be written."""


class Log:
    """Writes lines. On the journal each carries its priority (sd-daemon(3)); secrets are masked, should one appear."""

    def __init__(self, clock: Clock, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._clock = clock
        self._quiet = quiet
        self._stream = stream or sys.stderr
        self._journal = "JOURNAL_STREAM" in os.environ
        self._file: TextIO | None = None
        self._secrets: list[str] = []
        self.path: Path | None = None
        self.trouble: str | None = None

    def mask(self, secret: Secret | None) -> None:
        """Never let this text through, wherever it comes from (a shorter one would only garble every line)."""
        if secret and len(secret.reveal()) >= SHORTEST_MASKED:
            self._secrets.append(secret.reveal())

    def open(self, path: Path) -> None:
        """Begin the log file; raise `LogFileError` if it cannot be written."""
        try:
            make_dir(path.parent)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = os.fdopen(os.open(path, flags, 0o640), "a", encoding="utf-8", errors="backslashreplace")
        except OSError as exc:
            raise LogFileError(
                f"cannot write log file {path}: {exc.strerror}",
                remedy="check paths.log, its permissions and free space",
            ) from exc
        self.path = path

    def close(self) -> None:
        """End the log file."""
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()

    def info(self, text: str) -> None:
        """Say what goes on."""
        self.say(Message(level="info", text=text))

    def warning(self, text: str) -> None:
        """Say what a person should look at."""
        self.say(Message(level="warning", text=text))

    def error(self, text: str) -> None:
        """Say what went wrong."""
        self.say(Message(level="error", text=text))

    def detail(self, text: str) -> None:
        """Write a line into the file only."""
        self._to_file("debug", self._masked(text))

    def say_all(self, messages: Sequence[Message]) -> None:
        """Say several messages."""
        for message in messages:
            self.say(message)

    def say(self, message: Message) -> None:
        """Write one message to file and stderr."""
        text = self._masked(message.text)
        ident = f" [{message.msgid}]" if message.msgid else ""
        self._to_file(message.level, text + ident)
        if self._quiet and message.level == "info":
            return
        prefix = _PRIORITY[message.level] if self._journal else "" if message.level == "info" else f"{message.level}: "
        with contextlib.suppress(OSError):  # the terminal or reader has gone: no reason to end or not record a backup
            for line in text.splitlines() or [""]:
                print(f"{prefix}{line}", file=self._stream, flush=True)  # the edge itself

    def _to_file(self, level: str, text: str) -> None:
        if self._file is None:
            return
        stamp = self._clock().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        lines = [f"{stamp} {level:7} {line}\n" for line in text.splitlines() or [""]]
        try:
            self._file.write("".join(lines))
            self._file.flush()
        except OSError as exc:  # a full disk, say: a run without a log is still a run, and will say so
            self.trouble = f"the log file {self.path} could not be written to its end: {exc.strerror}"
            self.close()
            self.warning(self.trouble)

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text
