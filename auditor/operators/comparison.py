"""Equality and order."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from auditor.catalogue import FactSpec, FactType, Value
from auditor.operators.registry import Answer, OperandError, Operator, register
from auditor.operators.values import describe, show, typed

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

_PLAIN = frozenset({FactType.TEXT, FactType.INTEGER, FactType.NUMBER, FactType.BOOLEAN, FactType.DURATION})
_ORDERED = frozenset({FactType.INTEGER, FactType.NUMBER, FactType.DURATION})
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


def _order(name: str, words: str, test: Callable[[Any, Any], bool]) -> None:
    register(
        Operator(
            name,
            f"The number is {words} the value.",
            _ORDERED,
            "a number",
            typed,
            lambda value, operand, _now: Answer(test(value, operand)),
            lambda spec, operand: f"{words} {show(spec, operand)}",
        )
    )


register(
    Operator(
        "eq",
        "The fact is the value; text is compared exactly.",
        _PLAIN,
        "a value of the fact's type",
        typed,
        lambda value, operand, _now: Answer(value == operand),
        show,
    )
)
register(
    Operator(
        "ne",
        "The fact is anything but the value.",
        _PLAIN,
        "a value of the fact's type",
        typed,
        lambda value, operand, _now: Answer(value != operand),
        lambda spec, operand: f"anything but {show(spec, operand)}",
    )
)
register(
    Operator(
        "in",
        "The fact is one of the values.",
        _PLAIN,
        "a list of values",
        _choices,
        lambda value, operand, _now: Answer(value in operand),
        _either,
    )
)
register(
    Operator(
        "not_in",
        "The fact is none of the values.",
        _PLAIN,
        "a list of values",
        _choices,
        lambda value, operand, _now: Answer(value not in operand),
        _neither,
    )
)
_order("lt", "less than", operator.lt)
_order("le", "at most", operator.le)
_order("gt", "more than", operator.gt)
_order("ge", "at least", operator.ge)


def _same(value: Value, operand: Value, _now: datetime) -> Answer:
    return Answer(value == operand)


register(
    Operator(
        "same_as",
        "The fact equals another fact of the same type.",
        _REFERABLE,
        "the name of a fact",
        lambda _spec, value: value,
        _same,
        lambda spec, operand: f"the same as {spec.name}, {show(spec, operand)}",
        reference=True,
    )
)
