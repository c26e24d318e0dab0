"""What a process with loaded programs does: it forks for each call. All calls end with it, and it with its input."""

from __future__ import annotations

import atexit
import ctypes
import fcntl
import gc
import os
import selectors
import signal
import socket
import sys
import threading
import time
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HEADER = 4
MOST_FILES = 250
ABOVE_ALL = 1000  # no file of a call has such a number
NEW_MOUNTS = 0x00020000  # CLONE_NEWNS, sched.h
LIBC = ctypes.CDLL(None, use_errno=True)


def serve(folder: str, programs: Mapping[str, Callable[[], object]]) -> None:
    """Answer the calls of clients in this folder; `programs` has each program's main by its name."""
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/socket")
        listener.listen(100)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        _Calls(listener, programs).take()


class _Call(NamedTuple):
    """What a client says of itself."""

    program: str
    folder: bytes
    umask: int
    ignored: int  # signals, a bit each (proc(5), SigIgn)
    numbers: list[int]  # of its open files
    environment: dict[bytes, bytes]
    arguments: list[str]

    @classmethod
    def read(cls, body: bytes) -> _Call:
        fields = []
        while body:
            end = HEADER + int.from_bytes(body[:HEADER], "big")
            fields.append(body[HEADER:end])
            body = body[end:]
        program, folder, umask, ignored, numbers, environment, *arguments = fields
        return cls(
            program.decode(),
            folder,
            int(umask),
            int(ignored, 16),
            [int(each) for each in numbers.split()],
            dict(each.split(b"=", 1) for each in environment.split(b"\0") if b"=" in each),
            [os.fsdecode(each) for each in arguments],
        )


class _Calls:
    def __init__(self, listener: socket.socket, programs: Mapping[str, Callable[[], object]]) -> None:
        self.listener, self.programs = listener, programs
        self.processes: set[int] = set()
        self.waiting = selectors.DefaultSelector()

    def take(self) -> None:
        self.waiting.register(sys.stdin, selectors.EVENT_READ)
        self.waiting.register(self.listener, selectors.EVENT_READ, self.begin)
        while True:
            for key, _ in self.waiting.select():
                if key.fileobj is sys.stdin:
                    for process in self.processes:
                        os.kill(process, signal.SIGKILL)
                    return
                if key.fd in self.waiting.get_map():  # not one that has just been taken out
                    key.data()

    def begin(self) -> None:
        connection, _ = self.listener.accept()
        head, files, _, _ = socket.recv_fds(connection, HEADER, MOST_FILES)
        size = int.from_bytes(head, "big")
        with connection.makefile("rb") as stream:
            body = stream.read(size)
        if len(head) < HEADER or len(body) < size:  # who called is gone
            for each in files:
                os.close(each)
            connection.close()
            return
        call = _Call.read(body)
        process = _forked(self.programs[call.program], call, files)
        for each in files:
            os.close(each)
        self.processes.add(process)
        ended = os.pidfd_open(process)
        self.waiting.register(connection, selectors.EVENT_READ, lambda: self.pass_on(connection, process))
        self.waiting.register(ended, selectors.EVENT_READ, lambda: self.end(connection, process, ended))

    def pass_on(self, connection: socket.socket, process: int) -> None:
        with suppress(ConnectionError):
            if signals := connection.recv(100):
                for number in signals:
                    os.kill(process, number)
                return
        self.waiting.unregister(connection)
        os.kill(process, signal.SIGKILL)

    def end(self, connection: socket.socket, process: int, ended: int) -> None:
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        self.processes.remove(process)
        self.waiting.unregister(ended)
        os.close(ended)
        with suppress(KeyError):
            self.waiting.unregister(connection)
        with suppress(ConnectionError):
            connection.sendall(code.to_bytes(4, "big", signed=True))
        connection.close()


def _forked(main: Callable[[], object], call: _Call, files: list[int]) -> int:
    """Return the process that does this call."""
    if process := os.fork():
        return process
    code = 1
    try:
        _become(call, files)
        main()
        code = 0
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            code = end.code or 0
        else:
            sys.stderr.write(f"{end.code}\n")
    except BaseException:  # noqa: BLE001  # as Python itself does
        traceback.print_exc()
    finally:
        os._exit(_end(code))


def _end(code: int) -> int:
    """Do what Python does at the end of a process (Py_FinalizeEx); return the exit code."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            if not stream.closed:
                stream.flush()
        except OSError:
            code = 120
    return code


def _become(call: _Call, files: list[int]) -> None:
    """Become, as far as that goes without exec, the process that called."""
    os.setsid()
    *files, mounts = [fcntl.fcntl(each, fcntl.F_DUPFD, ABOVE_ALL) for each in files]
    os.closerange(0, ABOVE_ALL)
    for here, there in zip(files, call.numbers, strict=True):
        os.dup2(here, there)
    if not os.path.samestat(os.fstat(mounts), os.stat("/proc/self/ns/mnt")) and LIBC.setns(mounts, NEW_MOUNTS):
        raise OSError(ctypes.get_errno(), "setns")
    os.closerange(ABOVE_ALL, mounts + 1)
    given = open(0, closefd=False)
    out = open(1, "w", errors="surrogateescape", closefd=False)
    err = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    vars(sys).update(stdin=given, __stdin__=given, stdout=out, __stdout__=out, stderr=err, __stderr__=err)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        if call.ignored >> number - 1 & 1:
            signal.signal(number, signal.SIG_IGN)
    os.environ.clear()
    os.environb.update(call.environment)
    time.tzset()
    os.umask(call.umask)
    os.chdir(call.folder)
    sys.argv = [call.program, *call.arguments]
