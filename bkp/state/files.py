"""State files: replaced whole or not at all, and read without trusting them.

A reader gets either a value or an `Unreadable` that says why, by name; a bad file never takes anything else down.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from datetime import UTC, datetime
from io import BufferedReader
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from bkp import decoding
from bkp.errors import StateError
from bkp.state.reading import Missing, Readable, Reading, Unreadable

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T")

MAX_BYTES = 8 << 20
FILE_MODE = 0o640
PRIVATE_MODE = 0o600
DIR_MODE = 0o750


def write_atomic(path: Path, content: bytes, *, mode: int = FILE_MODE, durable: bool = True) -> None:
    """Replace `path` by `content` so that a crash leaves either the old file or the new one.

    `durable=False` leaves out fsync(2), for records of progress that the next write replaces: safe against the death
    of any process, not against a power cut.
    Raise `StateError` with the reason (disk full, read-only, permissions); the old file is then untouched.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        make_dir(path.parent)
        if durable:
            _remove_leftovers(path)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
        try:
            with os.fdopen(descriptor, "wb") as handle:
                os.fchmod(handle.fileno(), mode)
                handle.write(content)
                handle.flush()
                if durable:
                    os.fsync(handle.fileno())
            os.replace(temporary, path)  # noqa: PTH105  # the same call, without building another Path
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108
            raise
        if durable:
            sync_dir(path.parent)
    except OSError as exc:
        raise StateError(
            f"cannot write state file {path}: {exc.strerror}", remedy="check free space and permissions of the folder"
        ) from exc


def write_record(path: Path, record: msgspec.Struct, *, mode: int = FILE_MODE, durable: bool = True) -> None:
    """Write a record as JSON, one field a line, atomically. A record that no reader would accept replaces nothing."""
    content = msgspec.json.format(encode_record(record), indent=1) + b"\n"
    if len(content) > MAX_BYTES:
        raise StateError(f"cannot write state file {path}: the record is larger than {MAX_BYTES >> 20} MiB")
    write_atomic(path, content, mode=mode, durable=durable)


def encode_record(record: object) -> bytes:
    r"""Return a record as JSON on one line.

    Names of files and what programs say need not be UTF-8; Python then holds lone surrogates, which JSON cannot. They
    are written as `\udcff`, so that an odd name never keeps a run from being recorded.
    """
    try:
        return msgspec.json.encode(record)
    except UnicodeEncodeError:
        return msgspec.json.encode(_without_surrogates(msgspec.to_builtins(record)))


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_surrogates(item) for item in value]
    return value


def _remove_leftovers(path: Path) -> None:
    """Remove the temporary files that writers of `path` left when they were killed in the middle of it."""
    pattern = re.compile(rf"\.{re.escape(path.name)}\.([0-9]+)\.tmp")
    with os.scandir(path.parent) as entries:
        leftovers = [(entry.path, match[1]) for entry in entries if (match := pattern.fullmatch(entry.name))]
    for leftover, pid in leftovers:
        try:
            os.kill(int(pid), 0)
        except (ProcessLookupError, OverflowError):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(leftover)  # noqa: PTH108
        except PermissionError:
            continue


def make_dir(path: Path) -> None:
    """Create a state folder and those above it, each readable by the owner and the group only."""
    if not path.is_dir():
        make_dir(path.parent)
        path.mkdir(mode=DIR_MODE, exist_ok=True)
        mode = stat.S_IMODE(path.stat().st_mode)
        # A umask such as 077 would keep the exporter's group out. Only then: in its own unit a program may not set the
        # set-group-ID bit (RestrictSUIDSGID=), not even one that the new folder has from the one above it.
        if mode & 0o777 != DIR_MODE:
            path.chmod(mode & 0o7000 | DIR_MODE)
        sync_dir(path.parent)


def sync_dir(path: Path) -> None:
    """Make a rename inside `path` survive a power cut (fsync(2) on the folder)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_record(path: Path, kind: type[T]) -> Reading[T]:
    """Return the record in `path`, or why it cannot be had. Never raises for anything that a file may hold."""
    return as_record(read_bytes(path), kind)


def as_record(content: Reading[bytes], kind: type[T]) -> Reading[T]:
    """Return what was read as a record, or why it is none. Never raises for anything that a file may hold."""
    if not isinstance(content, Readable):
        return content
    try:
        return Readable(decoding.decode(content.value, kind), content.path, content.written_at)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        return Unreadable(content.path, _decode_reason(content.value, exc))
    except RecursionError:
        return Unreadable(content.path, "is nested too deeply")


def read_bytes(path: Path, limit: int = MAX_BYTES) -> Reading[bytes]:
    """Return the bytes of a regular file of at most `limit` bytes; symbolic links and special files are refused."""
    handle = open_regular(path)
    if not isinstance(handle, BufferedReader):
        return handle
    with handle:
        try:
            content = handle.read(limit + 1)
            written_at = modified_at(os.fstat(handle.fileno()).st_mtime_ns)
        except OSError as exc:
            return Unreadable(path, f"cannot be read: {exc.strerror}")
    if written_at is None:
        return Unreadable(path, "has a modification time that no calendar knows")
    if len(content) > limit:
        return Unreadable(path, f"is larger than {limit >> 20} MiB")
    return Readable(content, path, written_at)


def modified_at(mtime_ns: int) -> datetime | None:
    """Return a modification time (stat(2)) in UTC; None for one that no calendar has, as file systems allow."""
    try:
        return datetime.fromtimestamp(mtime_ns / 1e9, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def open_regular(path: Path) -> BufferedReader | Unreadable | Missing:
    """Return a regular file, open for reading, or why it cannot be had. Never waits, whatever lies there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return Missing(path)
    except NotADirectoryError:
        return Unreadable(path, "cannot be reached: a folder on its path is a file")
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            return Unreadable(path, "is a symbolic link")
        if exc.errno == errno.ENXIO:
            return Unreadable(path, "is not a regular file")
        return Unreadable(path, f"cannot be opened: {exc.strerror}")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return Unreadable(path, "is not a regular file")
    return os.fdopen(descriptor, "rb")


class _Versioned(msgspec.Struct):
    schema: int


def _decode_reason(content: bytes, exc: Exception) -> str:
    if not content.strip():
        return "is empty"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return "is not UTF-8 text"
    try:
        version = decoding.decode(content, _Versioned).schema
    except msgspec.ValidationError:
        return f"is not a record of this kind: {exc}"
    except (msgspec.DecodeError, RecursionError):
        return f"is torn or is not JSON: {exc}"
    if version != 1:
        return f"has schema version {version}; this program knows version 1"
    return f"is not a record of this kind: {exc}"
