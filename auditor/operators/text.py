"""Text against a regular expression."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from auditor.catalogue import FactSpec, FactType, Value
from auditor.operators.registry import Answer, Form, OperandError, register
from auditor.operators.values import describe, quoted

if TYPE_CHECKING:
    from datetime import datetime

_MAX_PATTERN = 200
_MAX_TEXT = 1000


def _pattern(_spec: FactSpec, value: Any) -> re.Pattern[str]:
    if not isinstance(value, str) or len(value) > _MAX_PATTERN:
        raise OperandError(f"found {describe(value)}, wanted a regular expression of at most {_MAX_PATTERN} characters")
    try:
        return re.compile(value)
    except (re.error, OverflowError, RecursionError) as exc:
        raise OperandError(f"{quoted(value)} is no regular expression: {exc}") from None


def _matches(value: Value, operand: re.Pattern[str], _now: datetime) -> Answer:
    text = str(value)
    if len(text) > _MAX_TEXT:
        return Answer(holds=False, detail=f"longer than {_MAX_TEXT} characters")
    return Answer(operand.fullmatch(text) is not None)


_PATTERN = Form(
    frozenset({FactType.TEXT, FactType.MODE}),
    "a regular expression",
    _pattern,
    lambda _spec, operand: quoted(operand.pattern),
)
register(
    "matches",
    "The whole text matches the regular expression (Python's syntax).",
    _PATTERN,
    _matches,
    "text of the form {}",
)
