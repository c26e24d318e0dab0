"""A file that somebody attached: which of smartctl's outputs it is, and what it says."""

from __future__ import annotations

import codecs

import msgspec

from bkp.disk_health.as_json.reader import read_json
from bkp.disk_health.as_text.lines import take_apart
from bkp.disk_health.as_text.reader import is_smartctl, read_text, serials
from bkp.disk_health.model import DiskHealth, ScannedDevice, Unknown
from bkp.disk_health.scan import is_json_scan, is_text_scan, read_json_scan, read_text_scan

MAX_BYTES = 4 << 20
MAX_LINES = 20_000

Attached = DiskHealth | list[ScannedDevice] | Unknown


def read_attached(data: bytes, *, ended_with: int | None = None) -> Attached:
    """Return what one output of smartctl says, be it JSON or text, of a disk or of a scan.

    `ended_with` is smartctl's exit status, where it was seen. Whatever the bytes are, nothing is raised.
    """
    if len(data) > MAX_BYTES:
        return Unknown(reason=f"larger than {MAX_BYTES >> 20} MiB: no output of smartctl is")
    text = _decode(data)
    if not text.strip():
        return Unknown(reason="empty")
    start = _json_start(text)
    return _read_plain(text, ended_with) if start is None else _read_document(text[start:], ended_with)


def _decode(data: bytes) -> str:
    """Return the text. Windows' shells write UTF-16 with a mark; a byte that is no UTF-8 becomes a mark of its own."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = data.decode("utf-16", "replace")
    else:
        text = data.decode("utf-8-sig", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _json_start(text: str) -> int | None:
    """Return where the JSON begins: what a shell or sudo printed may stand on lines before it."""
    if text.lstrip().startswith(("{", "[")):
        return 0
    found = text.find("\n{\n")
    return found if found >= 0 else None


def _read_document(text: str, ended_with: int | None) -> Attached:
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        return Unknown(reason=f"begins like JSON and is not: {error}")
    if not isinstance(document, dict) or not isinstance(document.get("smartctl"), dict):
        return Unknown(reason="JSON, but not of smartctl: no object `smartctl`")
    return read_json_scan(document) if is_json_scan(document) else read_json(document, ended_with=ended_with)


def _read_plain(text: str, ended_with: int | None) -> Attached:
    if text.count("\n") > MAX_LINES:
        return Unknown(reason=f"more than {MAX_LINES:,} lines: no output of smartctl has as many")
    if is_text_scan(text):
        return read_text_scan(text)
    if text.lstrip().startswith("Additional Smart Log for NVME"):
        return Unknown(reason="an output of nvme-cli, not of smartctl")
    apart = take_apart(text)
    if not is_smartctl(apart):
        return Unknown(reason="no output of smartctl: neither its first line nor a part of its reports")
    if len(found := serials(apart)) > 1:
        return Unknown(reason=f"outputs of {len(found)} disks; give one at a time")
    return read_text(apart, ended_with=ended_with)
