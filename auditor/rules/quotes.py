"""Modes stand in quotes: our reader takes `0600` for text, others for an octal or a decimal number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor.operators.values import MODE_FORM

if TYPE_CHECKING:
    from bkp.yamlfile.loader import Document, Path


def check_quotes(document: Document, value: Any, path: Path) -> None:
    """Raise `InputFileError` with the line where the value at `path` is a mode without quotes."""
    if isinstance(value, str) and MODE_FORM.fullmatch(value) and not document.is_quoted(path):
        message = f"found {value} without quotes, of which YAML makes a number elsewhere"
        raise document.error(path, message, remedy=f'write it in quotes: "{value}"')
