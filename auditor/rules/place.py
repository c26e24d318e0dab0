"""Input files as bytes, and the line of a mistake that shows only after its rule was compiled.

A compiled rule carries no positions, which would cost more memory than the rule: the file is read again.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bkp.errors import InputFileError
from bkp.state.files import read_bytes
from bkp.state.reading import Missing, Unreadable
from bkp.yamlfile.loader import MAX_BYTES, load_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.rules.model import Rule


def read_input(
    path: Path,
    missing: tuple[str, str | None] = ("is gone", None),
    *,
    remedy: str = "see to it that it is a file this account reads",
    limit: int = MAX_BYTES,
) -> bytes:
    """Return the file's content; raise `InputFileError` if it cannot be had.

    `missing` is the message, and the remedy, if there is no such file; `remedy` is that of one that cannot be read.
    """
    reading = read_bytes(path, limit)
    if isinstance(reading, Unreadable):
        raise InputFileError(str(path), None, reading.reason, remedy=remedy)
    if isinstance(reading, Missing):
        raise InputFileError(str(path), None, missing[0], remedy=missing[1])
    return reading.value


def complaint(
    rule: Rule, path: Sequence[str | int], message: str, *, at_key: bool = False, remedy: str | None = None
) -> InputFileError:
    """Return an error that names the rule's file and the line of `path` in it; no line if the file has gone since."""
    try:
        document = load_yaml(read_input(Path(rule.source)), rule.source)
    except InputFileError:
        return InputFileError(rule.source, None, message, remedy=remedy)
    return document.error(path, message, at_key=at_key, remedy=remedy)
