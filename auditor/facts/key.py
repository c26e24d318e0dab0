"""A Borg key export as bytes to the key's identity, however a password manager has wrapped it (borg-key-export(1)).

The fingerprint is the SHA-256 of the decoded blob; its first 12 digits are the id line of borg's paper key. The
blob itself lets its holder guess passphrases offline: it never leaves these functions.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

MAX_BYTES = 64 << 10

_ANY_FORM = re.compile(rb"\s*BORG_KEY\s+([0-9a-f]{64})\s+([A-Za-z0-9+/\s]+={0,2})\s*")
_USABLE_FORM = re.compile(rb"BORG_KEY [0-9a-f]{64}\r?\n")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class ExportedKey:
    """Which key an export holds, and whether `borg key import` takes the file as it is."""

    repository_id: str
    fingerprint: str
    usable: bool


def parse_key_export(content: bytes) -> ExportedKey:
    """Return the key in `content`. Raise ValueError, which never quotes it, where there is none."""
    if len(content) > MAX_BYTES:
        raise ValueError("is too large to be a key export")
    match = _ANY_FORM.fullmatch(content.removeprefix(_BOM))
    if match is None:
        raise ValueError("is not a key export: wanted a line BORG_KEY with the repository's id, then base64 lines")
    try:
        blob = base64.b64decode(b"".join(match[2].split()), validate=True)
    except binascii.Error:
        raise ValueError("is a damaged key export: its base64 part does not decode") from None
    return ExportedKey(
        repository_id=match[1].decode(),
        fingerprint=hashlib.sha256(blob).hexdigest(),
        usable=_USABLE_FORM.match(content) is not None,
    )
