"""What an operator is, and the table of them. A new one is two functions and a `register` call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from auditor.catalogue import FactSpec, FactType, Value

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

ANY_TYPE = frozenset(FactType)


class OperandError(ValueError):
    """A rule's value does not fit the operator or the fact's type; the text says what was wanted."""


class Answer(NamedTuple):
    """Whether the condition holds, and, where "found X, wanted Y" needs it, a clause that says more."""

    holds: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Operator:
    """A comparison of a fact with what a rule wants.

    `operand` turns the rule's value into what `test` gets, or raises `OperandError` when the rule is read; `wanted`
    says it in words. `takes` is the operand's form, for people; None: the operator takes no value. A `reference`
    compares with another fact, whose name is the rule's value.
    """

    name: str
    doc: str
    types: frozenset[FactType]
    takes: str | None
    operand: Callable[[FactSpec, Any], Any]
    test: Callable[[Value, Any, datetime], Answer]
    wanted: Callable[[FactSpec, Any], str]
    reference: bool = False
    judges_absence: bool = False


OPERATORS: dict[str, Operator] = {}


def register(operator: Operator) -> Operator:
    """Add an operator to the table. A name is given once."""
    if operator.name in OPERATORS:
        raise ValueError(f"operator {operator.name} is there twice")
    OPERATORS[operator.name] = operator
    return operator
