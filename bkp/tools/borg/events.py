"""borg's stderr under --log-json: one JSON object a line, with plain text where borg could not yet know better."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import msgspec

from bkp.state.records import Message

_LEVELS = {"DEBUG": "info", "INFO": "info", "WARNING": "warning", "ERROR": "error", "CRITICAL": "error"}
MAX_TEXT = 2000
# A file full of zeros, quoted in a message.
_REPEATED = re.compile(r"(.{1,4}?)\1{15,}", re.DOTALL)


@dataclass(frozen=True)
class Progress:
    """How far borg is. `total` is None where borg does not say; `what` is its operation's id or the current path."""

    operation: str
    current: int
    total: int | None
    what: str
    finished: bool = False


Event = Message | Progress


def parse_line(line: bytes) -> Event | None:
    """Return what one line of stderr says; None for a line that says nothing."""
    text = line.decode("utf-8", "replace").strip()
    if not text:
        return None
    data = _decode(text)
    if data is None:
        # argument errors and failing imports come before borg's logging is set up
        return Message(level="error" if text.startswith("borg") else "info", text=_printable(text)[:MAX_TEXT])
    kind = data.get("type")
    if kind == "log_message":
        return _message(data)
    if kind == "archive_progress":
        return _archive_progress(data)
    if kind in {"progress_percent", "progress_message"}:
        return _progress(data)
    if isinstance(kind, str) and kind.startswith("question_"):
        return _message({"message": kind, **data, "levelname": "WARNING"})
    return None


def _decode(text: str) -> dict[str, Any] | None:
    """Return the JSON object in a line. Paths that are not UTF-8 hold half a surrogate pair, which only json takes."""
    if not text.startswith("{"):
        return None
    try:
        data: Any = msgspec.json.decode(text)
    except msgspec.DecodeError:
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            return None
    except RecursionError:
        return None
    return data if isinstance(data, dict) else None


def _message(data: dict[str, Any]) -> Message:
    level = _LEVELS.get(str(data.get("levelname")), "warning")
    if level == "warning" and data.get("name") == "borg.locking":
        level = "info"  # a lock that a killed borg left was taken away: all is well again
    msgid = data.get("msgid")
    return Message(
        level=level,  # type: ignore[arg-type]  # the table holds only the three levels
        text=_bounded(_printable(str(data.get("message", "")))),
        msgid=_printable(msgid)[:MAX_TEXT] if isinstance(msgid, str) else None,
    )


def _bounded(text: str) -> str:
    """Return text of a bounded length: where much is said, beginning and end; of a traceback not what borg appends."""
    text = _REPEATED.sub(r"\1…", text.partition("\n\nPlatform: ")[0])
    if len(text) <= MAX_TEXT:
        return text
    return f"{text[: MAX_TEXT // 4]}\n…\n{text[3 - MAX_TEXT * 3 // 4 :]}"


def _printable(text: str) -> str:
    r"""Return text for records, mails and terminals: what a name holds besides text is shown as `\x1b` or `\udcff`."""
    if text.isprintable():
        return text
    escaped = ((char, char.encode("unicode_escape").decode("ascii")) for char in text)
    return "".join(char if char.isprintable() or char in "\n\t" else code for char, code in escaped)


def _archive_progress(data: dict[str, Any]) -> Progress:
    count = data.get("nfiles")
    return Progress(
        operation="create",
        current=count if isinstance(count, int) else 0,
        total=None,
        what=_printable(str(data.get("path", ""))),
        finished=bool(data.get("finished")),
    )


def _progress(data: dict[str, Any]) -> Progress:
    current, total = data.get("current"), data.get("total")
    return Progress(
        operation=str(data.get("msgid", "")),
        current=current if isinstance(current, int) else 0,
        total=total if isinstance(total, int) and total > 0 else None,
        what=_printable(str(data.get("message") or "")),
        finished=bool(data.get("finished")),
    )
