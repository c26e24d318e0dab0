"""A Borg key export as bytes to the key's identity: plain, paper and QR page, however something has wrapped it.

The fingerprint is the SHA-256 of the decoded blob; its first 12 digits are on the id line of borg's paper key
(borg-key-export(1)). The blob itself lets its holder guess passphrases offline: it is never shown.

This file needs nothing but Python 3.7 or newer, and runs by itself: `python3 key_export.py FILE` (or `-`). So
`bkp-audit fingerprint --standalone` prints it, for the machine where a vault is opened.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import html
import re
import sys
from dataclasses import dataclass, field

MAX_BYTES = 256 << 10  # a QR page has 67 kB
SHOWN_DIGITS = 12

_PLAIN = re.compile(r"\s*BORG_KEY\s+([0-9A-Fa-f]{64})\s+([A-Za-z0-9+/\s]+={0,2})\s*")
_IMPORTABLE = re.compile(rb"BORG_KEY [0-9a-f]{64}\r?\n")
_PAGE = re.compile(r"<textarea[^>]*>(.*?)</textarea>", re.DOTALL | re.IGNORECASE)
_PAPER = re.compile(r"BORG PAPER KEY v1\s", re.IGNORECASE)
_BEGIN = "BORG_KEY "
_PAPER_ID = re.compile(r"id:([0-9]+)/([0-9a-f]{18})/([0-9a-f]{12})-([0-9a-f]{2})")
_PAPER_LINE = re.compile(r"([0-9]+):([0-9a-f]{2,36})-([0-9a-f]{2})")
_BYTE_ORDER_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_IMPORTS = {
    "plain": "`borg key import` takes it as it is",
    "paper": "`borg key import --paper` takes it, typed line by line",
}


@dataclass(frozen=True)
class ExportedKey:
    """Which key an export holds, and whether borg takes the export as it is.

    `form` is plain, paper or page. `repository_id` has 64 digits, of a paper key only the first 18.
    """

    form: str
    repository_id: str
    fingerprint: str
    usable: bool
    blob: bytes = field(repr=False)

    @property
    def short(self) -> str:
        """Return the digits that people compare, grouped as on a paper key."""
        return f"{self.fingerprint[:6]} {self.fingerprint[6:SHOWN_DIGITS]}"

    @property
    def usability(self) -> str:
        """Say whether and how borg takes the export."""
        if self.usable:
            return f"yes: {_IMPORTS[self.form]}"
        if self.form == "page":
            return "no: scan its code, or take the text from its field into a file"
        return "no: it is the right text in a form that `borg key import` refuses; store the export anew, unchanged"


def parse_key_export(content: bytes) -> ExportedKey:
    """Return the key in `content`. Raise ValueError, which never quotes it, where there is none or it is damaged."""
    if len(content) > MAX_BYTES:
        raise ValueError("is too large to be a key export")
    text = _text(content)
    if _PAPER.search(text):
        return _paper(text)
    page = _PAGE.search(text)
    match = _PLAIN.fullmatch(html.unescape(page[1]) if page else text)
    if match is None and _BEGIN in text:  # such as the notes of a password manager
        if len(text.split()) == 2:
            raise ValueError("is a damaged key export: it is cut short")
        what = "several exports" if text.count(_BEGIN) > 1 else "something besides, or foreign characters"
        raise ValueError(f"is no key export alone, but has {what}: give the lines of one, from BORG_KEY on")
    if match is None:
        raise ValueError("is not a key export: wanted a line BORG_KEY with the repository's id, then base64 lines")
    try:
        blob = base64.b64decode("".join(match[2].split()), validate=True)
    except binascii.Error:
        raise ValueError("is a damaged key export: its base64 part does not decode") from None
    usable = page is None and _IMPORTABLE.match(content) is not None
    return _whole("page" if page else "plain", match[1].lower(), blob, usable)


def _text(content: bytes) -> str:
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise ValueError("is not a key export: it is not text") from None


def _paper(text: str) -> ExportedKey:
    """Read a paper key; every line has a checksum, the whole has one too (borg/crypto/keymanager.py)."""
    lines = ["".join(line.lower().split()) for line in text.splitlines()]
    head = next((match for match in map(_PAPER_ID.fullmatch, lines) if match), None)
    if head is None or _digest(f"{head[1]}/{head[2]}/{head[3]}".encode())[:2] != head[4]:
        raise ValueError("is a damaged paper key: its id line is missing, or does not fit its checksum")
    blob, count = b"", int(head[1])
    for match in filter(None, map(_PAPER_LINE.fullmatch, lines)):
        number = blob_line(blob)
        try:
            part = bytes.fromhex(match[2])
        except ValueError:
            part = b""
        if int(match[1]) != number or _digest(number.to_bytes(2, "big") + part)[:2] != match[3]:
            raise ValueError(f"is a damaged paper key: line {number} is missing, or does not fit its checksum")
        blob += part
    if blob_line(blob) != count + 1:
        raise ValueError(f"is an incomplete paper key: it ends before line {blob_line(blob)} of {count}")
    if _digest(blob)[:SHOWN_DIGITS] != head[3]:
        raise ValueError("is a damaged paper key: its lines do not fit the checksum of the whole")
    return _whole("paper", head[2], blob, usable=True)


def blob_line(blob: bytes) -> int:
    """Return the number of the paper key's line that comes after so many bytes: each has 18."""
    return (len(blob) + 17) // 18 + 1


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _whole(form: str, repository_id: str, blob: bytes, usable: bool) -> ExportedKey:
    """Return the key, if its blob is one whole table of values: borg imports what was cut off without a word."""
    end = _end_of_table(blob)
    if end is None:
        raise ValueError("is a damaged key export: it is cut short, or its content is no key")
    if end != len(blob):
        raise ValueError("is a damaged key export: something follows the key")
    return ExportedKey(form, repository_id, _digest(blob), usable, blob)


# Length of what follows the first byte of a msgpack value, by that byte; for text and bytes, of the length's field.
_FIXED = {
    0xC0: 0,
    0xC2: 0,
    0xC3: 0,
    0xCA: 4,
    0xCB: 8,
    0xCC: 1,
    0xCD: 2,
    0xCE: 4,
    0xCF: 8,
    0xD0: 1,
    0xD1: 2,
    0xD2: 4,
    0xD3: 8,
}
_SIZED = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}


def _end_of_table(data: bytes) -> int | None:
    """Return where the table of plain values that `data` begins with ends (msgpack); None where it is none."""
    if not data or not 0x80 <= data[0] <= 0x8F:
        return None
    at = 1
    for _ in range(2 * (data[0] & 0x0F)):
        if at >= len(data):
            return None
        first = data[at]
        at += 1
        if first in _SIZED:
            width = _SIZED[first]
            at += width + int.from_bytes(data[at : at + width], "big")
        elif 0xA0 <= first <= 0xBF:
            at += first & 0x1F
        elif first in _FIXED:
            at += _FIXED[first]
        elif 0x80 <= first < 0xE0:
            return None
    return at if at <= len(data) else None


def describe_key(key: ExportedKey) -> list[str]:
    """Return what is told of an export, line by line."""
    part = "" if len(key.repository_id) == 64 else "… (a paper key has the beginning only)"
    return [
        f"repository   {key.repository_id}{part}",
        f"fingerprint  {key.fingerprint}",
        f"compare      {key.short}",
        f"usable       {key.usability}",
    ]


def main(arguments: list[str]) -> int:
    """Print what is told of the export in a file, or on standard input; return the exit code."""
    if len(arguments) != 1 or arguments[0] in ("-h", "--help"):
        sys.stderr.write(
            f"usage: python3 {sys.argv[0]} FILE\n  FILE  a Borg key export: plain, paper or QR page; - is stdin\n"
        )
        return 2
    try:
        if arguments[0] == "-":
            content = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with open(arguments[0], "rb") as handle:  # noqa: PTH123
                content = handle.read(MAX_BYTES + 1)
        lines = describe_key(parse_key_export(content))
    except (OSError, ValueError) as exc:
        name = "standard input" if arguments[0] == "-" else arguments[0]
        sys.stderr.write(f"error: {name} {getattr(exc, 'strerror', None) or exc}\n")
        return 2
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
