"""What standard output and standard error do when nobody reads on, or when they cannot be written to."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any

from bkp.errors import BkpError


class OutputError(BkpError):
    """Standard output cannot be written to, and not because its reader has gone: its disk is full, say."""


def outlive_readers() -> None:
    """Let the program go on if the reader of its output goes away (head, less, a terminal). Call it once, first of all.

    What a program does, and its exit code, must not depend on a reader; click would end it with 1. Output that nobody
    reads is dropped. Any other failure of standard output raises `OutputError`; one of standard error is dropped, as
    nobody could be told. A character that the terminal's encoding lacks is shown by its number.
    """
    for name, vital in (("stdout", True), ("stderr", False)):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper) and stream is getattr(sys, f"__{name}__"):
            setattr(sys, name, _rebuilt(stream, vital=vital))


def _rebuilt(stream: io.TextIOWrapper, *, vital: bool) -> io.TextIOWrapper:
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Output(stream.fileno(), vital=vital)),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class _Output(io.FileIO):
    def __init__(self, descriptor: int, *, vital: bool) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self._vital = vital
        self._gone = {errno.EPIPE, errno.EIO} if self.isatty() else {errno.EPIPE}  # EIO: a terminal that hung up

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as exc:
            null = os.open(os.devnull, os.O_WRONLY)  # whatever follows would fail as well, the last flush by Python too
            os.dup2(null, self.fileno())
            os.close(null)
            if self._vital and exc.errno not in self._gone:
                raise OutputError(
                    f"cannot write to standard output: {exc.strerror}", remedy="send it to where there is room"
                ) from exc
            return memoryview(data).nbytes
