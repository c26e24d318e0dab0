"""The attestation file: JSON lines, append-only, each carrying the SHA-256 of the line before it.

It is evidence, not input: damage does not end the audit, it makes every attested rule an error that names the line.
A line is added by replacing the whole file, so a power cut leaves the old file or the new one.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

import msgspec

from bkp import decoding
from bkp.attestations.model import Attestation, Attestations
from bkp.errors import StateError
from bkp.state.files import FILE_MODE, encode_record, make_dir, read_bytes, write_atomic
from bkp.state.ledger import GENESIS, line_hash
from bkp.state.locking import lock_within
from bkp.state.reading import Missing, Readable, Unreadable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FILE_NAME = "attestations.jsonl"
MAX_LINE_BYTES = 64 << 10
PATIENCE = 10.0  # seconds
_MEND = "put a good copy back; a torn last line, which nothing follows, may be taken out"


def read_attestations(path: Path) -> Attestations:
    """Return the attestations in `path`; none where there is no such file, a problem where its chain is broken."""
    reading = read_bytes(path)
    if isinstance(reading, Missing):
        return Attestations()
    if isinstance(reading, Unreadable):
        return Attestations(problem=f"{path.name} {reading.reason}")
    return parse_attestations(reading.value, path.name)


def parse_attestations(content: bytes, name: str = FILE_NAME) -> Attestations:
    """Return the attestations in `content`, oldest first."""
    records: list[Attestation] = []
    previous = GENESIS
    lines = content.split(b"\n")
    if lines.pop():
        return Attestations(problem=f"{name}: line {len(lines) + 1} is torn: it does not end")
    for number, line in enumerate(lines, start=1):
        if len(line) > MAX_LINE_BYTES:
            return Attestations(tuple(records), f"{name}: line {number} is longer than {MAX_LINE_BYTES >> 10} KiB")
        try:
            record = decoding.decode(line, Attestation)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            return Attestations(tuple(records), f"{name}: line {number} is no attestation: {exc}")
        if record.previous != previous:
            return Attestations(tuple(records), f"{name}: line {number} does not follow the line before it")
        records.append(record)
        previous = line_hash(line)
    return Attestations(tuple(records))


def append_attestations(path: Path, records: Sequence[Attestation]) -> tuple[Attestation, ...]:
    """Add records, each chained to the one before, all of them or none; return them as they were written.

    Raise `StateError` where the file cannot be read or written, or its chain is broken: nothing is added then.
    """
    try:
        make_dir(path.parent)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as exc:
        raise StateError(f"cannot reach {path.parent}: {exc.strerror}", remedy="call as root") from exc
    try:
        if not lock_within(folder, fcntl.LOCK_EX, PATIENCE):  # of the folder: the file itself is replaced
            raise StateError(f"{path.parent} is locked by another program: nothing was added", remedy="try again")
        reading = read_bytes(path)
        if isinstance(reading, Unreadable):
            raise StateError(f"{path} {reading.reason}: nothing was added", remedy="see what lies there")
        content = reading.value if isinstance(reading, Readable) else b""
        if (problem := parse_attestations(content, str(path)).problem) is not None:
            raise StateError(f"{problem}: nothing was added", remedy=_MEND)
        written = []
        for record in records:
            previous = line_hash(content.split(b"\n")[-2]) if content else GENESIS
            written.append(msgspec.structs.replace(record, previous=previous))
            content += encode_record(written[-1]) + b"\n"
        if (problem := parse_attestations(content, str(path)).problem) is not None:
            raise StateError(f"{problem}: nothing was added", remedy="say it in fewer words")
        write_atomic(path, content, mode=FILE_MODE)
    finally:
        os.close(folder)
    return tuple(written)
