"""Equality and order."""

from __future__ import annotations

import operator
from typing import Any

from auditor.catalogue import FactSpec, FactType, Value
from auditor.operators.registry import Form, OperandError, holds_if, register
from auditor.operators.values import describe, show, typed

_ORDERED = frozenset({FactType.INTEGER, FactType.NUMBER, FactType.DURATION})
_PLAIN = _ORDERED | {FactType.TEXT, FactType.BOOLEAN}
_REFERABLE = _PLAIN | {FactType.MODE, FactType.FINGERPRINT, FactType.TIME}


def _choices(spec: FactSpec, value: Any) -> tuple[Value, ...]:
    if not isinstance(value, list) or not value:
        raise OperandError(f"found {describe(value)}, wanted a list of at least one value")
    return tuple(typed(spec, item) for item in value)


def _either(spec: FactSpec, operand: tuple[Value, ...]) -> str:
    return " or ".join(show(spec, item) for item in operand)


def _neither(spec: FactSpec, operand: tuple[Value, ...]) -> str:
    words = " nor ".join(show(spec, item) for item in operand)
    return f"neither {words}" if len(operand) > 1 else f"anything but {words}"


_VALUE = Form(_PLAIN, "a value of the fact's type", typed, show)
_NUMBER = Form(_ORDERED, "a number", typed, show)
_ONE_OF = Form(_PLAIN, "a list of values", _choices, _either)
_NONE_OF = Form(_PLAIN, "a list of values", _choices, _neither)
_FACT = Form(_REFERABLE, "the name of a fact", lambda _spec, value: value, show)
_NUMBER_FACT = Form(_ORDERED, "the name of a fact", lambda _spec, value: value, show)

register("eq", "The fact is the value; text is compared exactly.", _VALUE, holds_if(operator.eq))
register("ne", "The fact is anything but the value.", _VALUE, holds_if(operator.ne), "anything but {}")
register("in", "The fact is one of the values.", _ONE_OF, holds_if(lambda value, operand: value in operand))
register("not_in", "The fact is none of the values.", _NONE_OF, holds_if(lambda value, operand: value not in operand))
register("lt", "The number is less than the value.", _NUMBER, holds_if(operator.lt), "less than {}")
register("le", "The number is at most the value.", _NUMBER, holds_if(operator.le), "at most {}")
register("gt", "The number is more than the value.", _NUMBER, holds_if(operator.gt), "more than {}")
register("ge", "The number is at least the value.", _NUMBER, holds_if(operator.ge), "at least {}")
register(
    "same_as",
    "The fact equals another fact of the same type.",
    _FACT,
    holds_if(operator.eq),
    "the same as {}",
    reference=True,
)
register(
    "lt_fact",
    "The number is less than another fact of the same type.",
    _NUMBER_FACT,
    holds_if(operator.lt),
    "less than {}",
    reference=True,
)
