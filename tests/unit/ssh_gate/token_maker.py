"""Makes resume tokens as ZFS does: pairs of an nvlist in native encoding, compressed, with their length."""

from __future__ import annotations

import struct
import zlib

BOOLEAN, UINT64, STRING = 1, 8, 9


def pair(name: str, kind: int, value: bytes) -> bytes:
    raw = name.encode() + b"\0"
    head = 16 + len(raw)
    begin = -(-head // 8) * 8
    size = begin + -(-len(value) // 8) * 8
    body = struct.pack("<ihhii", size, len(raw), 0, 0 if kind == BOOLEAN else 1, kind) + raw
    return body.ljust(begin, b"\0") + value.ljust(size - begin, b"\0")


def string(text: str) -> bytes:
    return text.encode() + b"\0"


def packed(*pairs: bytes) -> bytes:
    return b"\0\1\0\0" + struct.pack("<iI", 0, 1) + b"".join(pairs) + struct.pack("<i", 0)


def wrapped(content: bytes, *, length: int | None = None, after: bytes = b"") -> str:
    size = len(content) if length is None else length
    return f"1-115ce4602b-{size:x}-{(zlib.compress(content) + after).hex()}"


def token(name: str, *more: bytes) -> str:
    number = struct.pack("<Q", 77)
    pairs = [pair("object", UINT64, number), pair("offset", UINT64, number), pair("toguid", UINT64, number)]
    return wrapped(packed(*pairs, *more, pair("toname", STRING, string(name))))
