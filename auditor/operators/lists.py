"""Lists as sets, and how many items they have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor.catalogue import FactSpec, FactType, Value
from auditor.operators.registry import Answer, Form, OperandError, holds_if, register
from auditor.operators.values import describe, quoted, show_list, typed

if TYPE_CHECKING:
    from datetime import datetime

_LISTS = frozenset({FactType.TEXT_LIST})


def _item(_spec: FactSpec, value: Any) -> str:
    if not isinstance(value, str):
        raise OperandError(f"found {describe(value)}, wanted text")
    return value


def _items(spec: FactSpec, value: Any) -> tuple[Value, ...]:
    if not isinstance(value, list):
        raise OperandError(f"found {describe(value)}, wanted a list of text")
    parsed = typed(spec, value)
    assert isinstance(parsed, tuple)  # noqa: S101  # what the type list of text means
    return parsed


def _tuple(value: Value) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()


def _superset(value: Value, operand: tuple[str, ...], _now: datetime) -> Answer:
    lacking = tuple(item for item in operand if item not in _tuple(value))
    return Answer(not lacking, f"lacking {show_list(lacking)}" if lacking else "")


def _subset(value: Value, operand: tuple[str, ...], _now: datetime) -> Answer:
    beyond = tuple(item for item in _tuple(value) if item not in operand)
    return Answer(not beyond, f"beyond them {show_list(beyond)}" if beyond else "")


def _bounds(_spec: FactSpec, value: Any) -> tuple[int, int | None]:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value, value
    if isinstance(value, dict) and value and set(value) <= {"min", "max"}:
        low, high = value.get("min", 0), value.get("max")
        numbers = [low] if high is None and "max" not in value else [low, high]
        if all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in numbers) and numbers == sorted(
            numbers
        ):
            return low, high
    raise OperandError(f"found {describe(value)}, wanted a whole number, or a mapping of min and max")


def _count(value: Value, operand: tuple[int, int | None], _now: datetime) -> Answer:
    low, high = operand
    number = len(_tuple(value))
    return Answer(low <= number and (high is None or number <= high), f"it has {number}" if number else "")


def _say_bounds(_spec: FactSpec, operand: tuple[int, int | None]) -> str:
    low, high = operand
    if high is None:
        return f"at least {_items_of(low)}"
    if low == high:
        return _items_of(low) if low else "an empty list"
    return f"at most {_items_of(high)}" if low == 0 else f"{low} to {_items_of(high)}"


def _items_of(number: int) -> str:
    return f"{number} item" if number == 1 else f"{number} items"


_ITEM = Form(_LISTS, "text", _item, lambda _spec, operand: quoted(operand))
_ITEMS = Form(_LISTS, "a list of text", _items, lambda _spec, operand: show_list(operand))
_NUMBER = Form(_LISTS, "a whole number, or {min, max}", _bounds, _say_bounds)

register("contains", "The list has the item.", _ITEM, holds_if(lambda value, item: item in value), "a list with {}")
register("superset_of", "The list has all of the items, and perhaps more.", _ITEMS, _superset, "all of {}")
register("subset_of", "The list has none but the items.", _ITEMS, _subset, "none but {}")
register("count", "The list has that many items.", _NUMBER, _count)
