"""The attestation file: JSON lines, append-only, each carrying the SHA-256 of the line before it.

It is evidence, not input: damage does not end the audit, it makes every attested rule an error that names the line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from auditor.evidence import Attestation, Attestations
from bkp import decoding
from bkp.state.files import read_bytes
from bkp.state.ledger import GENESIS, line_hash
from bkp.state.reading import Missing, Unreadable

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME = "attestations.jsonl"
MAX_LINE_BYTES = 64 << 10


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
