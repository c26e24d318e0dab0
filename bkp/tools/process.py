"""Running an outside program: no shell, a clean environment, secrets by pipe, nobody left behind.

The child gets a session of its own, so that Ctrl-C reaches only us, and dies with us (prctl(2) PR_SET_PDEATHSIG, by
setpriv(1)), so that a killed run leaves no borg at work.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shlex
import signal
import subprocess
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from bkp.errors import BkpError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from bkp.secrets import Secret

SETPRIV = "/usr/bin/setpriv"
SAFE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MAX_OUTPUT = 256 << 20
MAX_LINE = 1 << 20
KILLED_SECONDS = 10.0
_CHUNK = 1 << 16
_TAIL = 8 << 10


class ProgramMissingError(BkpError):
    """The program is not installed, or may not be executed."""


@dataclass(frozen=True)
class Command:
    """A program to run. `environment` is all that the child sees; no secret is ever in it or in `argv`.

    `passphrase_variable` names the variable that tells the child from which descriptor to read `passphrase`.
    `whole_session`: what ends the child ends all that it started, for it does not see to that itself.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    passphrase: Secret | None = None
    passphrase_variable: str = "BORG_PASSPHRASE_FD"  # noqa: S105  # a name, not a secret
    cwd: Path | None = None
    stdin: bytes | None = None
    whole_session: bool = False
    keep_open: tuple[int, ...] = ()

    def __str__(self) -> str:
        shown = " ".join(f"{name}={shlex.quote(value)}" for name, value in sorted(self.environment.items()))
        hidden = f"{self.passphrase_variable}=*** " if self.passphrase is not None else ""
        return f"{shown} {hidden}{shlex.join(self.argv)}".strip()


@dataclass(frozen=True)
class Completed:
    """How a program ended. `exit_code` is 128+N where signal N ended it, as a shell says it."""

    exit_code: int
    stdout: bytes
    stderr_tail: bytes
    seconds: float
    timed_out: bool = False


def clean_environment() -> dict[str, str]:
    """Return the environment that every child starts from: UTC, UTF-8, a fixed PATH, HOME, and TMPDIR if it is set."""
    temporary = os.environ.get("TMPDIR")
    return {
        "PATH": SAFE_PATH,
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "HOME": os.environ.get("HOME") or "/root",
        **({"TMPDIR": temporary} if temporary else {}),
    }


def run(
    command: Command,
    *,
    on_stderr: Callable[[bytes], None] | None = None,
    timeout: float | None = None,
    grace: float = 60.0,
) -> Completed:
    """Run `command` to its end and return how it ended.

    The end is the end of the child itself: what it may have left in the background (ssh's connection sharing, say)
    and still holds its pipes open is not waited for.
    `on_stderr` gets every line of stderr as it comes, in pieces of at most `MAX_LINE` bytes. After `timeout` seconds,
    or when an exception (a signal, say) leaves this function, the child is sent SIGTERM, and its whole session
    SIGKILL `grace` seconds later.
    Raise `ProgramMissingError` if it cannot be started.
    """
    started = time.monotonic()
    read_end, environment = _passphrase_pipe(command)
    try:
        process = _start(command, environment, read_end)
    finally:
        if read_end is not None:
            os.close(read_end)
    pump = _Pump(process, on_stderr, command.stdin)
    try:
        timed_out = not pump.run(None if timeout is None else started + timeout)
        if timed_out:
            _stop(process, pump, grace, command)
        code = -signal.SIGKILL if timed_out and process.poll() is None else process.wait()
    except BkpError:  # an ending signal, say: what the child says of its end is worth hearing
        _stop(process, pump, grace, command)
        raise
    except BaseException:  # perhaps from the listener itself
        pump.mute()
        _stop(process, pump, grace, command)
        raise
    finally:
        pump.close()
    seconds = time.monotonic() - started
    return Completed(128 - code if code < 0 else code, bytes(pump.stdout), bytes(pump.tail), seconds, timed_out)


def _passphrase_pipe(command: Command) -> tuple[int | None, dict[str, str]]:
    environment = dict(command.environment)
    if command.passphrase is None:
        return None, environment
    read_end, write_end = os.pipe2(os.O_CLOEXEC)
    secret = command.passphrase.reveal().encode() + b"\n"
    try:
        os.set_blocking(write_end, False)  # nobody reads yet: a pipe that is too small must not hang the run
        written = os.write(write_end, secret)
    except BlockingIOError:
        written = 0
    finally:
        os.close(write_end)
    if written != len(secret):
        os.close(read_end)
        raise BkpError("the passphrase is longer than a pipe holds")
    environment[command.passphrase_variable] = str(read_end)
    return read_end, environment


def _start(command: Command, environment: dict[str, str], read_end: int | None) -> subprocess.Popen[bytes]:
    dies_with_us: Sequence[str] = (SETPRIV, "--pdeathsig", "TERM", "--") if os.access(SETPRIV, os.X_OK) else ()
    program = command.argv[0]
    if dies_with_us and "/" in program and not os.access(program, os.X_OK):  # setpriv would hide which one is missing
        raise _missing(program)
    try:
        return subprocess.Popen(  # no shell; argv is built from the configuration by pure functions
            [*dies_with_us, *command.argv],
            stdin=subprocess.DEVNULL if command.stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=command.cwd,
            pass_fds=(*command.keep_open, *(() if read_end is None else (read_end,))),
            start_new_session=True,
        )
    except FileNotFoundError:
        if command.cwd is not None and not command.cwd.is_dir():
            raise BkpError(f"folder {command.cwd} is not there") from None
        raise _missing(program) from None
    except OSError as exc:
        raise ProgramMissingError(f"cannot start {program}: {exc.strerror}") from None


def _missing(program: str) -> ProgramMissingError:
    return ProgramMissingError(f"{program} is not installed, or not executable", remedy="install its Debian package")


def _stop(process: subprocess.Popen[bytes], pump: _Pump, grace: float, command: Command) -> None:
    """End the child politely, reading on so that it cannot block on a full pipe; SIGKILL is the last resort.

    SIGTERM goes to the child alone, which may need its helpers (borg its ssh) to take its locks away. SIGKILL goes to
    all of its session: without it they would work on for nobody.
    """
    if process.poll() is None:
        if command.whole_session:
            os.killpg(process.pid, signal.SIGTERM)
        else:
            process.send_signal(signal.SIGTERM)
        try:
            pump.run(time.monotonic() + grace)
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                # a process stuck in the kernel (a pool that lost its disks) cannot die: it must not take us with it
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=KILLED_SECONDS)


class _Pump:
    """Moves bytes between us and the child until the child has ended."""

    def __init__(
        self, process: subprocess.Popen[bytes], on_stderr: Callable[[bytes], None] | None, stdin: bytes | None
    ) -> None:
        self._process = process
        self._on_stderr = on_stderr
        self._input = memoryview(stdin or b"")
        self.stdout = bytearray()
        self.tail = bytearray()
        self._partial = bytearray()
        self._ended = os.pidfd_open(process.pid)  # readable as soon as the child has ended (pidfd_open(2))
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._ended, selectors.EVENT_READ)
        for stream in (process.stdout, process.stderr):
            self._watch(stream, selectors.EVENT_READ)
        if process.stdin is not None:
            self._watch(process.stdin, selectors.EVENT_WRITE)

    def mute(self) -> None:
        """Tell nobody what the child says from now on."""
        self._on_stderr = None

    def _watch(self, stream: IO[bytes] | None, event: int) -> None:
        if stream is not None:
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, event)

    def run(self, deadline: float | None) -> bool:
        """Move bytes until the child has ended; return False if the deadline came first."""
        while True:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return False
            ready = [key.fileobj for key, _ in self._selector.select(left)]
            for stream in ready:
                if stream != self._ended:
                    self._move(stream)  # type: ignore[arg-type]  # only the three streams besides
            if self._ended in ready:
                self._drain()
                return True

    def _drain(self) -> None:
        """Take what the child has left in its pipes."""
        for stream in (self._process.stdout, self._process.stderr):
            while stream is not None and stream in self._selector.get_map():
                try:
                    self._move(stream)
                except BlockingIOError:  # empty, but held open by something that outlives the child
                    break
        self._flush()

    def _move(self, stream: IO[bytes]) -> None:
        if stream is self._process.stdin:
            self._write(stream)
            return
        data = os.read(stream.fileno(), _CHUNK)
        if not data:
            self._selector.unregister(stream)
        elif stream is self._process.stdout:
            self.stdout += data
            if len(self.stdout) > MAX_OUTPUT:
                raise BkpError(f"{self._process.args!r} wrote over {MAX_OUTPUT >> 20} MiB to its standard output")
        else:
            self._lines(data)

    def _lines(self, data: bytes) -> None:
        first, *others = data.split(b"\n")
        self._partial += first
        for following in others:
            line, self._partial = bytes(self._partial), bytearray(following)
            self._line(line)
        if len(self._partial) >= MAX_LINE:  # no program of ours means that as one line
            self._flush()

    def _flush(self) -> None:
        if self._partial:
            self._line(bytes(self._partial))
            self._partial.clear()

    def _write(self, stream: IO[bytes]) -> None:
        try:
            self._input = self._input[os.write(stream.fileno(), self._input[:_CHUNK]) :]
        except BrokenPipeError:
            self._input = memoryview(b"")
        if not self._input:
            self._selector.unregister(stream)
            stream.close()

    def _line(self, line: bytes) -> None:
        self.tail += line[-_TAIL:] + b"\n"
        del self.tail[:-_TAIL]
        if self._on_stderr is not None:
            self._on_stderr(line)

    def close(self) -> None:
        self._selector.close()
        os.close(self._ended)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
