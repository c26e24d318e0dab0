"""What an operator is, and the table of them. A new one is a test and a `register` call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from auditor.catalogue import FactSpec, FactType, Value

    Test = Callable[[Value, Any, datetime], "Answer"]


class OperandError(ValueError):
    """A rule's value does not fit the operator or the fact's type; the text says what was wanted."""


class Answer(NamedTuple):
    """Whether the condition holds, and, where "found X, wanted Y" needs it, a clause that says more."""

    holds: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """What operators take: facts of these `types`, and an operand of the form that `takes` says (None: no operand).

    `parse` turns the rule's value into the operand, or raises `OperandError`. `show` says the operand in words.
    """

    types: frozenset[FactType]
    takes: str | None
    parse: Callable[[FactSpec, Any], Any]
    show: Callable[[FactSpec, Any], str]


@dataclass(frozen=True, slots=True)
class Operator:
    """A comparison of a fact with what a rule wants.

    `words` say what is wanted; `{}` stands in them for the operand. A `reference` compares with another fact, whose
    name is the rule's value, and which stands in its words for the operand.
    """

    name: str
    doc: str
    form: Form
    test: Test
    words: str
    reference: bool
    judges_absence: bool

    def wanted(self, spec: FactSpec, operand: Any) -> str:
        """Say what is wanted."""
        return self.words.format(self.form.show(spec, operand))


OPERATORS: dict[str, Operator] = {}


def register(
    name: str,
    doc: str,
    form: Form,
    test: Test,
    words: str = "{}",
    *,
    reference: bool = False,
    judges_absence: bool = False,
) -> None:
    """Add an operator to the table. A name is given once."""
    if name in OPERATORS:
        raise ValueError(f"operator {name} is there twice")
    OPERATORS[name] = Operator(name, doc, form, test, words, reference, judges_absence)


def holds_if(test: Callable[[Any, Any], bool]) -> Test:
    """Return the test of an operator that needs neither the time nor a detail."""
    return lambda value, operand, _now: Answer(test(value, operand))
