"""Whether there is anything at all. These two alone judge a fact that was looked for and is not there.

One that could not be had stays an error, and one that nobody looked for is missing: nothing is known of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor.catalogue import FactType
from auditor.operators.registry import Form, OperandError, holds_if, register

if TYPE_CHECKING:
    from auditor.catalogue import FactSpec


def _nothing(_spec: FactSpec, value: Any) -> None:
    if value is not None:
        raise OperandError("takes no value")


_ANY = Form(frozenset(FactType), None, _nothing, lambda _spec, _operand: "")
_IS = holds_if(lambda value, _operand: value is not None)
_IS_NOT = holds_if(lambda value, _operand: value is None)
register("exists", "There is a value.", _ANY, _IS, "a value", judges_absence=True)
register("absent", "It was looked for, and there is no value.", _ANY, _IS_NOT, "nothing", judges_absence=True)
