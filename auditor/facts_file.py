"""Saved facts: `bkp-audit facts -o FILE` writes them, `--facts FILE` judges them anywhere."""

from __future__ import annotations

import re
import struct
import sys
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from auditor.catalogue import UnknownFactError, resolve
from auditor.evidence import Evidence, Fact, Facts
from auditor.operators import OperandError
from auditor.operators.values import typed
from auditor.rules.place import read_input
from bkp import decoding
from bkp.attestations.model import Attestation, Attestations
from bkp.errors import InputFileError
from bkp.printable import printable
from bkp.state.files import MAX_BYTES

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.catalogue import FactRef, FactSpec, Value

STDIN = "standard input"

_UtcTime = Annotated[datetime, Meta(tz=True)]


class SavedFact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A fact as the file holds it: a value, or the error that kept it from being collected, or neither (not there)."""

    value: Any = None
    error: str | None = None
    source: str
    collected_at: _UtcTime


class FactsFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole facts file. It holds no secret, but paths of secrets: it is written for its owner only."""

    schema: Literal[1] = 1
    program: str
    host: str
    timezone: str
    collected_at: _UtcTime
    facts: dict[str, SavedFact]
    attestations: tuple[Attestation, ...] = ()
    attestation_problem: str | None = None


def encode_evidence(evidence: Evidence, program: str) -> bytes:
    """Return the evidence as the JSON text of a facts file."""
    saved = {
        name: SavedFact(value=fact.value, error=fact.error, source=fact.source, collected_at=fact.collected_at)
        for name, fact in evidence.facts.items()
    }
    file = FactsFile(
        program=program,
        host=evidence.host,
        timezone=evidence.timezone,
        collected_at=evidence.collected_at,
        facts=saved,
        attestations=evidence.attestations.records,
        attestation_problem=evidence.attestations.problem,
    )
    return msgspec.json.format(msgspec.json.encode(file), indent=1) + b"\n"


def load_evidence(path: Path) -> Evidence:
    """Return the evidence in `path`, in standard input for `-`.

    Raise `InputFileError` naming the file and the line for anything that is off.
    """
    if str(path) == "-":
        return parse_evidence(_from_stdin(), STDIN)
    missing = ("no such facts file", "`bkp-audit facts -o FILE` writes one")
    remedy = "name a regular file, or - for standard input"
    return parse_evidence(read_input(path, missing, remedy=remedy, limit=MAX_BYTES), str(path))


def _from_stdin() -> bytes:
    if sys.stdin is None:
        raise InputFileError(STDIN, None, "is closed", remedy="name a file")
    try:
        content = sys.stdin.buffer.read(MAX_BYTES + 1)
    except OSError as exc:
        raise InputFileError(STDIN, None, f"cannot be read: {exc.strerror}", remedy="name a file") from None
    if len(content) > MAX_BYTES:
        raise InputFileError(STDIN, None, f"is larger than {MAX_BYTES >> 20} MiB")
    return content


def parse_evidence(content: bytes, source: str) -> Evidence:
    """Return the evidence in `content`; `source` names it in errors."""
    try:
        file = decoding.decode(content, FactsFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise InputFileError(source, _line(content, str(exc)), f"is not a facts file: {_clean(str(exc))}") from None
    facts = {name: _fact(name, saved, content, source) for name, saved in file.facts.items()}
    return Evidence(
        facts=Facts(facts),
        host=file.host,
        timezone=file.timezone,
        collected_at=file.collected_at,
        attestations=Attestations(file.attestations, file.attestation_problem),
        zone=_zone(file.timezone, content, source),
    )


def zone_named(name: str) -> tzinfo | None:
    """Return the time zone of that name, or None where this machine knows none."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError, struct.error):
        return None


def _zone(name: str, content: bytes, source: str) -> tzinfo:
    """Return the host's zone. In another one waivers would end on another day, and nobody would know."""
    zone = zone_named(name)
    if zone is None:
        message = f"timezone: this machine knows no time zone {_clean(name)[:60]!r}"
        remedy = "write the name of the host's zone there, such as Europe/Berlin; or install tzdata here"
        raise InputFileError(source, _line_of(content, "timezone"), message, remedy=remedy)
    return zone


def _fact(name: str, saved: SavedFact, content: bytes, source: str) -> Fact:
    try:
        ref = _storable(name)
        value = _value(ref.spec, saved)
    except UnknownFactError as exc:
        raise InputFileError(source, _line_of(content, name), _clean(str(exc)), remedy=exc.remedy) from None
    except OperandError as exc:
        raise InputFileError(source, _line_of(content, name), f"{_clean(name)}: {exc}") from None
    return Fact(value, saved.source, saved.collected_at, saved.error)


def _storable(name: str) -> FactRef:
    ref = resolve(name)
    if ref.namespace == "audit":
        raise UnknownFactError(f"{name} is known when judging only, and is never saved")
    if ref.instance == "*":
        raise UnknownFactError(f"{name} names no instance")
    return ref


def _value(spec: FactSpec, saved: SavedFact) -> Value | None:
    if saved.error is not None and saved.value is not None:
        raise OperandError("found both value and error, wanted one of them")
    return None if saved.value is None else typed(spec, saved.value)


def _clean(text: str) -> str:
    return printable(text)[:300]


def _line(content: bytes, complaint: str) -> int | None:
    match = re.search(r"\(byte (\d{1,9})\)", complaint)
    return content.count(b"\n", 0, int(match[1])) + 1 if match else None


def _line_of(content: bytes, name: str) -> int | None:
    at = content.find(msgspec.json.encode(name))
    return content.count(b"\n", 0, at) + 1 if at >= 0 else None
