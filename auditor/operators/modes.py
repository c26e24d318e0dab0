"""Permission bits. "At most 0600" is a question about bits, not numbers: 0500 is a smaller number and not stricter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor.catalogue import FactSpec, FactType, Value
from auditor.operators.registry import Answer, Form, OperandError, holds_if, register
from auditor.operators.values import MODE_FORM, describe

if TYPE_CHECKING:
    from datetime import datetime

_BITS = (
    (0o4000, "set-user-id"),
    (0o2000, "set-group-id"),
    (0o1000, "sticky"),
    (0o400, "owner read"),
    (0o200, "owner write"),
    (0o100, "owner execute"),
    (0o040, "group read"),
    (0o020, "group write"),
    (0o010, "group execute"),
    (0o004, "others read"),
    (0o002, "others write"),
    (0o001, "others execute"),
)


def _mode(_spec: FactSpec, value: Any) -> int:
    if not isinstance(value, str) or not MODE_FORM.fullmatch(value):
        hint = f'; write it in quotes: "{value:04d}"' if isinstance(value, int) and 0 <= value <= 7777 else ""
        raise OperandError(f'found {describe(value)}, wanted a mode in quotes, four octal digits: "0600"{hint}')
    return int(value, 8)


def _at_most(value: Value, operand: int, _now: datetime) -> Answer:
    extra = int(str(value), 8) & ~operand
    names = ", ".join(name for bit, name in _BITS if extra & bit)
    return Answer(not extra, f"beyond it: {names}" if extra else "")


_MODE = Form(frozenset({FactType.MODE}), "a mode in quotes", _mode, lambda _spec, operand: f"{operand:04o}")
register("mode_is", "The mode is exactly this one.", _MODE, holds_if(lambda value, mode: int(value, 8) == mode))
register("mode_at_most", "The mode grants no bit that this one does not.", _MODE, _at_most, "at most {}")
