"""Whether there is anything at all. These two alone judge a fact that was looked for and is not there.

One that could not be had stays an error, and one that nobody looked for is missing: nothing is known of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor.operators.registry import ANY_TYPE, Answer, OperandError, Operator, register

if TYPE_CHECKING:
    from auditor.catalogue import FactSpec


def _nothing(_spec: FactSpec, value: Any) -> None:
    if value is not None:
        raise OperandError("takes no value")


register(
    Operator(
        "exists",
        "There is a value.",
        ANY_TYPE,
        None,
        _nothing,
        lambda value, _operand, _now: Answer(value is not None),
        lambda _spec, _operand: "a value",
        judges_absence=True,
    )
)
register(
    Operator(
        "absent",
        "It was looked for, and there is no value.",
        ANY_TYPE,
        None,
        _nothing,
        lambda value, _operand, _now: Answer(value is None),
        lambda _spec, _operand: "nothing",
        judges_absence=True,
    )
)
