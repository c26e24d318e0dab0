"""The history of runs and mails: append-only JSON lines, each carrying the SHA-256 of the line before it.

The chain proves that nothing in the middle was changed or removed by accident; it does not stop someone with root.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from bkp import decoding
from bkp.errors import StateError
from bkp.state.files import FILE_MODE, encode_record, make_dir, open_regular, sync_dir, write_atomic
from bkp.state.locking import lock_within
from bkp.state.reading import Missing, Unreadable
from bkp.state.records import LedgerLine, MailNote, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BufferedReader
    from pathlib import Path

GENESIS = "0" * 64
MAX_LINE_BYTES = 4 << 20
_ROOM = 1 << 10  # for what a line says besides its run
_TAIL_BLOCK = 64 << 10


@dataclass(frozen=True)
class ChainReport:
    """What a walk over the whole history found: how many lines hold, and the first problem, if any."""

    lines: int
    problem: str | None = None
    torn_tail: bool = False

    @property
    def intact(self) -> bool:
        """Return whether every line is there, readable and chained to the one before."""
        return self.problem is None and not self.torn_tail


@dataclass(frozen=True)
class LedgerHead:
    """The last whole line of the history: its number, from 1, and its SHA-256 without its newline."""

    line: int
    digest: str


def line_hash(line: bytes) -> str:
    """Return the SHA-256 of a line without its newline, in hex."""
    return hashlib.sha256(line.rstrip(b"\n")).hexdigest()


class Ledger:
    """The history file. Only bkp-run appends, under a lock of its own; everyone may read.

    `patience` is how many seconds a writer waits for that lock: another writer has it for milliseconds.
    """

    def __init__(self, path: Path, *, patience: float = 60) -> None:
        self.path = path
        self._patience = patience

    def append(self, run: Run) -> None:
        """Add one finished run. A tail torn by a crash is first set aside in a file of its own, and noted.

        A run whose line no reader would accept loses its messages, which are then counted as dropped.
        A damaged last line stays as it is, for `verify` to find; what follows is chained to its bytes.
        Raise `StateError` if the file cannot be written, or is held by somebody else.
        """
        self._add(run=fitting(run))

    def append_mail(self, mail: MailNote) -> None:
        """Add what became of a mail. As `append` in everything else."""
        self._add(mail=mail)

    def note(self, text: str) -> None:
        """Add a note: what a person decided, in one sentence. As `append` in everything else."""
        self._add(note=text)

    def _add(self, *, run: Run | None = None, mail: MailNote | None = None, note: str | None = None) -> None:
        try:
            make_dir(self.path.parent)
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            with os.fdopen(os.open(self.path, flags, FILE_MODE), "r+b", buffering=0) as handle:
                self._lock(handle.fileno())
                fresh = os.fstat(handle.fileno()).st_size == 0
                if fresh:
                    os.fchmod(handle.fileno(), FILE_MODE)  # whatever the umask: the exporter's group reads it
                torn = self._set_torn_tail_aside(handle.fileno())
                seq, previous = self._last(handle.fileno())
                if torn:
                    seq, previous = self._write(handle.fileno(), LedgerLine(seq=seq, previous=previous, note=torn))
                self._write(handle.fileno(), LedgerLine(seq=seq, previous=previous, run=run, mail=mail, note=note))
            if fresh:
                sync_dir(self.path.parent)
        except OSError as exc:
            raise StateError(
                f"cannot append to the history {self.path}: {exc.strerror}", remedy="check free space and permissions"
            ) from exc

    def _lock(self, descriptor: int) -> None:
        """Take the file's lock. Whoever may read the file may hold it: that must not hang a backup for ever."""
        if not lock_within(descriptor, fcntl.LOCK_EX, self._patience):
            raise StateError(
                f"cannot append to the history {self.path}: another program has locked it for {self._patience} seconds",
                remedy=f"find it with `lsof {self.path}` and end it",
            )

    def _write(self, descriptor: int, line: LedgerLine) -> tuple[int, str]:
        content = encode_record(line)
        whole = content + b"\n"
        if len(whole) > MAX_LINE_BYTES:
            raise StateError(f"cannot append to the history {self.path}: the record is too large")
        if os.write(descriptor, whole) != len(whole):
            raise StateError(f"cannot append to the history {self.path}: short write", remedy="check free space")
        os.fsync(descriptor)
        return line.seq + 1, line_hash(content)

    def _set_torn_tail_aside(self, descriptor: int) -> str | None:
        size = os.fstat(descriptor).st_size
        tail = _read_tail(descriptor, size)
        if not tail or tail.endswith(b"\n"):
            return None
        torn = tail.rsplit(b"\n", 1)[-1]
        if isinstance(_decode(torn), LedgerLine):  # whole but for its end: readers have seen this run already
            os.write(descriptor, b"\n")
            return None
        digest = hashlib.sha256(torn).hexdigest()
        aside = self.path.with_name(f"{self.path.name}.torn-{digest[:12]}")
        write_atomic(aside, torn)
        os.ftruncate(descriptor, size - len(torn))
        return f"a crash left {len(torn)} bytes of an unfinished line, now in {aside.name} (sha256 {digest})"

    def _last(self, descriptor: int) -> tuple[int, str]:
        tail = _read_tail(descriptor, os.fstat(descriptor).st_size)
        lines = tail.rstrip(b"\n").rsplit(b"\n", 1)
        if not lines[-1]:
            return 0, GENESIS
        last = _decode(lines[-1])
        seq = _count_lines(descriptor) if isinstance(last, str) else last.seq + 1
        return seq, line_hash(lines[-1])

    def head(self) -> LedgerHead | None:
        """Return the last whole line's number and hash; None without a line. Raise `StateError` if unreadable."""
        with self._opened() as handle:
            if not handle:
                return None
            tail = _read_tail(handle.fileno(), os.fstat(handle.fileno()).st_size)
            whole, newline, _ = tail.rpartition(b"\n")
            if not newline:
                return None
            return LedgerHead(_count_lines(handle.fileno()), line_hash(whole.rpartition(b"\n")[2]))

    def damage_at_end(self) -> str | None:
        """Return what is wrong with the last whole line; None if nothing is, or if it cannot be read at all."""
        try:
            with self._opened() as handle:
                tail = _read_tail(handle.fileno(), os.fstat(handle.fileno()).st_size) if handle else b""
        except StateError:
            return None
        lines = tail[: tail.rfind(b"\n") + 1].splitlines()
        last = _decode(lines[-1]) if lines else None
        return f"the last line of the history {self.path} is damaged: {last}" if isinstance(last, str) else None

    def runs(self) -> list[Run]:
        """Return every readable run, oldest first. Lines that are damaged or torn are passed over; see `verify`.

        Raise `StateError` if the file is there but cannot be read.
        """
        found: list[Run] = []
        self.walk(found.append)
        return found

    def last_runs(self, limit: int, *, job: str | None = None, target: str | None = None) -> list[Run]:
        """Return up to `limit` of the newest runs (of one job and target), oldest first.

        The file is read backwards until they are found, however many runs of other jobs lie between.
        Raise `StateError` if the file is there but cannot be read.
        """
        wanted = msgspec.json.encode(job) if job else b""
        found: list[Run] = []
        with self._opened() as handle:
            for raw in _lines_backwards(handle.fileno()) if handle and limit > 0 else ():
                if wanted not in raw:  # saves decoding the lines of other jobs
                    continue
                line = _decode(raw)
                run = line.run if isinstance(line, LedgerLine) else None
                if run is not None and job in {None, run.job} and target in {None, run.target}:
                    found.append(run)
                    if len(found) == limit:
                        break
        return found[::-1]

    def newest(self, wanted: Callable[[Run], bool]) -> Run | None:
        """Return the newest readable run that is wanted. Raise `StateError` if the file is there but cannot be read."""
        with self._opened() as handle:
            for raw in _lines_backwards(handle.fileno()) if handle else ():
                line = _decode(raw)
                if isinstance(line, LedgerLine) and line.run is not None and wanted(line.run):
                    return line.run
        return None

    def verify(self) -> ChainReport:
        """Walk the whole chain; return how many lines hold and the first that does not."""
        try:
            return self.walk(lambda _run: None)
        except StateError as exc:
            return ChainReport(0, exc.message)

    def walk(
        self, see: Callable[[Run], None], see_mail: Callable[[MailNote], None] = lambda _mail: None
    ) -> ChainReport:
        """Read the file once: show every readable run and mail, oldest first, and return whether the chain holds.

        Raise `StateError` if the file is there but cannot be read.
        """
        previous, count, broken = GENESIS, 0, None
        for raw in self._lines():
            line = _decode(raw)
            if isinstance(line, LedgerLine) and line.run is not None:
                see(line.run)
            elif isinstance(line, LedgerLine) and line.mail is not None:
                see_mail(line.mail)
            broken = broken or _break(raw, line, count, previous)
            if broken is None:
                previous, count = line_hash(raw), count + 1
        return broken or ChainReport(count)

    def _lines(self) -> Iterator[bytes]:
        with self._opened() as handle:
            if not handle:
                return
            # A writer holds the lock while it writes: up to here no line is half written by somebody alive.
            lock_within(handle.fileno(), fcntl.LOCK_SH, seconds=1)
            rest = os.fstat(handle.fileno()).st_size
            fcntl.flock(handle, fcntl.LOCK_UN)
            while rest > 0 and (raw := handle.readline(min(rest, MAX_LINE_BYTES))):
                rest -= len(raw)
                yield raw

    @contextlib.contextmanager
    def _opened(self) -> Iterator[BufferedReader | None]:
        handle = open_regular(self.path)
        if isinstance(handle, Missing):
            yield None
            return
        if isinstance(handle, Unreadable):
            raise StateError(f"the history {self.path} {handle.reason}", remedy="see to it that it is a readable file")
        with handle:
            try:
                yield handle
            except OSError as exc:
                raise StateError(f"the history {self.path} cannot be read: {exc.strerror}") from exc


def _break(raw: bytes, line: LedgerLine | str, count: int, previous: str) -> ChainReport | None:
    """Return the report of a chain that ends before this line, which does not follow the `count` lines before it."""
    if not raw.endswith(b"\n"):
        if len(raw) >= MAX_LINE_BYTES:
            return ChainReport(count, f"line {count + 1} is longer than {MAX_LINE_BYTES >> 20} MiB")
        return ChainReport(count, torn_tail=True)
    if isinstance(line, str):
        return ChainReport(count, f"line {count + 1} is damaged: {line}")
    if line.seq != count or line.previous != previous:
        return ChainReport(count, f"line {count + 1} does not follow the line before it")
    return None


def _decode(raw: bytes) -> LedgerLine | str:
    """Return the line, or why it is none."""
    try:
        return decoding.decode(raw, LedgerLine)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        return str(exc)
    except RecursionError:
        return "it is nested too deeply"


def fitting(run: Run) -> Run:
    """Return the run as its line says it: without its messages, if the line would be longer than readers accept."""
    if len(encode_record(run)) < MAX_LINE_BYTES - _ROOM:
        return run
    return msgspec.structs.replace(run, messages=(), messages_dropped=run.messages_dropped + len(run.messages))


def _count_lines(descriptor: int) -> int:
    count, offset = 0, 0
    while block := os.pread(descriptor, 1 << 20, offset):
        count += block.count(b"\n")
        offset += len(block)
    return count


def _lines_backwards(descriptor: int) -> Iterator[bytes]:
    """Yield the lines of the file from the last to the first, without their newlines."""
    offset, rest = os.fstat(descriptor).st_size, b""
    while offset > 0:
        start = max(0, offset - _TAIL_BLOCK * 16)
        first, *lines = (os.pread(descriptor, offset - start, start) + rest).split(b"\n")
        yield from reversed(lines)
        offset, rest = start, first
    yield rest


def _read_tail(descriptor: int, size: int) -> bytes:
    """Return whole lines from the end of the file: at least one block of them, more if the last line is longer."""
    want = _TAIL_BLOCK
    while True:
        start = max(0, size - want)
        data = os.pread(descriptor, size - start, start)
        if start == 0:
            return data
        cut = data.find(b"\n")
        if 0 <= cut < len(data) - 1:
            return data[cut + 1 :]
        want *= 2
