"""The outbox: mails that have not left yet, one file each, in the order in which they were written.

    paths.state/outbox/NUMBER-TIME-TOKEN.eml    a whole message, for root's eyes only
    paths.state/outbox/overflow.json            how many there was no room for, until a digest has told of them
    paths.state/outbox/reserve                  room for that count on a disk that is full
    paths.lock/outbox/…                         the same, where the state directory is full, read-only or not there

The state directory survives a restart, the lock folder (in memory) a full disk. Both are bounded. A mail leaves the
outbox only when a mail server has taken it, or when it is counted in `overflow.json`; killed in between, it is sent
once more, with the same Message-ID. Writers hold a lock; whoever may list the folder may count what waits.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import msgspec

from bkp.clock import utc_now
from bkp.errors import StateError
from bkp.state.fields import Count, Record, UtcTime
from bkp.state.files import PRIVATE_MODE, modified_at, read_bytes, read_record, write_atomic, write_record
from bkp.state.locking import held
from bkp.state.reading import Readable, Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from bkp.state.reading import Reading

    Writer = Callable[[Path], None]

FOLDER = "outbox"
MOST_MAILS = 200
MOST_BYTES = 10 << 20
LARGEST_MAIL = 1 << 20
MOST_SUBJECTS = 20
_LOCK = ".outbox.lock"
_OVERFLOW = "overflow.json"
_RESERVE = "reserve"
_RESERVED = 16 << 10  # bytes: the count before and the count after, and what a file system adds
_UNREADABLE = "(how many there were is not known: their count could not be read)"
_PATIENCE = 30.0  # seconds; the lock is held for milliseconds
_NAME = re.compile(r"([0-9]{10})-([0-9]{8}T[0-9]{6}Z)-[0-9A-Za-z]+\.eml")


class Overflow(Record, frozen=True, kw_only=True):
    """Mails that were given up, and of which nobody has been told: how many, of when, and what about.

    `removing` are files that are counted here already, and may still be there after a crash.
    """

    schema: Literal[1] = 1
    message_id: str
    count: Count
    first_at: UtcTime
    last_at: UtcTime
    subjects: tuple[str, ...] = ()
    removing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kept:
    """A mail that waits. `kept_at` (UTC) is None where neither its name nor its file has a time."""

    path: Path
    number: int
    kept_at: datetime | None
    size: int


@dataclass(frozen=True)
class Waiting:
    """What the outbox looks like from outside. `problem` says why it is not known, or not all of it."""

    mails: int = 0
    bytes: int = 0
    oldest_at: datetime | None = None
    given_up: int = 0
    given_up_at: datetime | None = None
    problem: str | None = None


class Outbox:
    """The mails that wait below a state directory and a folder of locks."""

    def __init__(self, state: Path, lock: Path) -> None:
        self._state, self._lock = state, lock
        self.folders = (state / FOLDER, lock / FOLDER)

    def put(self, message: bytes, now: datetime) -> Kept:
        """Keep a message, durably. Where there is no room, the oldest ones make room, and are counted.

        Raise `StateError` if no folder takes it.
        """
        if len(message) > LARGEST_MAIL:
            raise StateError(f"a mail of {len(message)} bytes is too large to be kept")
        with held(self._lock / _LOCK, _PATIENCE):
            there = self._finish()
            excess = _excess(there, len(message))
            if excess:
                self._give_up(excess, now)
            number = max((each.number for each in there), default=0) + 1
            name = f"{number:010d}-{now:%Y%m%dT%H%M%SZ}-{os.urandom(6).hex()}.eml"
            path = self._write(name, lambda path: write_atomic(path, message, mode=PRIVATE_MODE))
            self._keep_reserve()
        return Kept(path, number, now, len(message))

    def kept(self) -> list[Kept]:
        """Return the mails that wait, oldest first. Raise `StateError` if a folder cannot be listed."""
        overflow = self.overflow()
        removing = set(overflow.removing) if overflow else set()
        found = [each for folder in self.folders for each in _listed(folder) if each.path.name not in removing]
        return sorted(found, key=lambda each: (each.number, each.path.name))

    def remove(self, mail: Kept) -> None:
        """Remove a mail that was sent. Raise `StateError` if it cannot be: it would be sent for ever."""
        try:
            mail.path.unlink(missing_ok=True)
        except OSError as exc:
            raise StateError(f"cannot remove the mail {mail.path}, which was sent: {exc.strerror}") from exc

    def give_up(self, mail: Kept, now: datetime) -> None:
        """Remove a mail that nobody takes, and count it. Raise `StateError` if it cannot be counted."""
        with held(self._lock / _LOCK, _PATIENCE):
            self._finish()
            self._give_up([mail], now)

    def count_lost(self, message: bytes, now: datetime) -> None:
        """Count a message that was neither sent nor kept. Raise `StateError` if even that cannot be written."""
        with held(self._lock / _LOCK, _PATIENCE):
            self._finish()
            self._count([now], (_subject_of(message),), ())

    def overflow(self) -> Overflow | None:
        """Return what was given up and not told of. A count that cannot be read stands for one mail."""
        found = []
        for reading in self._overflows():
            if isinstance(reading, Readable):
                found.append(reading.value)
            elif isinstance(reading, Unreadable):
                now = utc_now()
                found.append(
                    Overflow(message_id=_new_id(), count=1, first_at=now, last_at=now, subjects=(_UNREADABLE,))
                )
        return max(found, key=lambda each: each.count, default=None)

    def _overflows(self) -> list[Reading[Overflow]]:
        # A file in the place of the state directory is no count that cannot be read.
        there = (folder for folder in self.folders if os.path.isdir(folder.parent))  # noqa: PTH112  # never raises
        return [read_record(folder / _OVERFLOW, Overflow) for folder in there]

    def told(self, overflow: Overflow) -> None:
        """Forget what a digest has told of; what came to it since stays, for another one."""
        with held(self._lock / _LOCK, _PATIENCE):
            self._finish()
            now = self.overflow()
            if now is not None and now.count > overflow.count:
                rest = msgspec.structs.replace(
                    now, count=now.count - overflow.count, message_id=_new_id(), first_at=overflow.last_at, subjects=()
                )
                # Killed in between, what was told is told again: of two, the one with the larger count is read.
                self._remove_overflow(but=self._write(_OVERFLOW, lambda path: write_record(path, rest)))
            else:
                self._remove_overflow()

    def look(self) -> Waiting:
        """Return what waits, as far as this user may see it. Never raises."""
        try:
            there, overflow = self.kept(), self.overflow()
        except StateError as exc:
            return Waiting(problem=exc.message)
        bad = next((each for each in self._overflows() if isinstance(each, Unreadable)), None)
        return Waiting(
            mails=len(there),
            bytes=sum(each.size for each in there),
            oldest_at=min((each.kept_at for each in there if each.kept_at is not None), default=None),
            given_up=overflow.count if overflow else 0,
            given_up_at=overflow.last_at if overflow else None,
            problem=f"{bad.path} {bad.reason}" if bad else None,
        )

    def _finish(self) -> list[Kept]:
        """Remove what is counted as given up, as a crash may have left it; return what waits."""
        overflow = self.overflow()
        for name in overflow.removing if overflow else ():
            for folder in self.folders:
                with contextlib.suppress(OSError):
                    (folder / name).unlink()
        return self.kept()

    def _give_up(self, mails: list[Kept], now: datetime) -> None:
        times = [each.kept_at or now for each in mails]
        self._count(times, tuple(_subject(each.path) for each in mails), tuple(each.path.name for each in mails))
        self._finish()

    def _count(self, times: list[datetime], subjects: tuple[str, ...], removing: tuple[str, ...]) -> None:
        before = self.overflow()
        after = Overflow(
            message_id=before.message_id if before else _new_id(),
            count=(before.count if before else 0) + len(times),
            first_at=min([*times, *([before.first_at] if before else [])]),
            last_at=max([*times, *([before.last_at] if before else [])]),
            subjects=((before.subjects if before else ()) + subjects)[:MOST_SUBJECTS],
            removing=removing,
        )
        try:
            self._write(_OVERFLOW, lambda path: write_record(path, after))
        except StateError:
            if not self._free_reserve():
                raise
            self._write(_OVERFLOW, lambda path: write_record(path, after))

    def _keep_reserve(self) -> None:
        reserve = self.folders[0] / _RESERVE
        if self._state.is_dir() and not reserve.exists():
            with contextlib.suppress(StateError):  # there is no room for it now
                write_atomic(reserve, os.urandom(_RESERVED), mode=PRIVATE_MODE)  # what no file system compresses

    def _free_reserve(self) -> bool:
        try:
            (self.folders[0] / _RESERVE).unlink()
        except OSError:
            return False
        return True

    def _write(self, name: str, write: Writer) -> Path:
        """Write into the first folder that takes it; return where.

        A state directory that is not there is not made: it may be a mount point.
        """
        problem: StateError | None = None
        for folder in self.folders:
            if folder.parent == self._state and not self._state.is_dir():
                continue
            try:
                write(folder / name)
            except StateError as exc:
                problem = problem or exc
            else:
                return folder / name
        raise problem or StateError(f"cannot write {name}: neither {self._state} nor {self._lock} is there")

    def _remove_overflow(self, *, but: Path | None = None) -> None:
        for folder in self.folders:
            if folder / _OVERFLOW == but:
                continue
            try:
                (folder / _OVERFLOW).unlink(missing_ok=True)
            except OSError as exc:
                raise StateError(f"cannot remove {folder / _OVERFLOW}: {exc.strerror}") from exc


def _new_id() -> str:
    return f"<bkp-digest-{os.urandom(8).hex()}@localhost.localdomain>"


def _excess(there: list[Kept], size: int) -> list[Kept]:
    """Return the oldest mails that have to go before one of `size` bytes fits."""
    number, total = len(there), sum(each.size for each in there)
    excess: list[Kept] = []
    for each in there:
        if number < MOST_MAILS and total + size <= MOST_BYTES:
            break
        number, total = number - 1, total - each.size
        excess.append(each)
    return excess


def _listed(folder: Path) -> Iterable[Kept]:
    try:
        with os.scandir(folder) as entries:
            return [_entry(folder / entry.name, entry.stat(follow_symlinks=False)) for entry in _mails(entries)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as exc:
        raise StateError(f"the outbox {folder} cannot be looked at: {exc.strerror}") from exc


def _mails(entries: Iterable[os.DirEntry[str]]) -> Iterable[os.DirEntry[str]]:
    return (each for each in entries if each.name.endswith(".eml") and each.name[0] != "." and each.is_file())


def _entry(path: Path, facts: os.stat_result) -> Kept:
    match = _NAME.fullmatch(path.name)
    kept_at = modified_at(facts.st_mtime_ns)
    if match is not None:
        with contextlib.suppress(ValueError):
            kept_at = datetime.fromisoformat(match[2])
    return Kept(path, int(match[1]) if match else 0, kept_at, facts.st_size)


def _subject(path: Path) -> str:
    content = read_bytes(path, LARGEST_MAIL)
    return _subject_of(content.value) if isinstance(content, Readable) else "(cannot be read)"


def _subject_of(message: bytes) -> str:
    from email.parser import BytesHeaderParser  # only where something goes wrong
    from email.policy import default

    return str(BytesHeaderParser(policy=default).parsebytes(message)["Subject"] or "(without a subject)")
