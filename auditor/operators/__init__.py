"""About twenty operators, each a comparison that explains itself: "found 0644, wanted at most 0600"."""

from auditor.operators import ages, comparison, lists, modes, presence, text  # noqa: F401  # they register themselves
from auditor.operators.registry import OPERATORS, OperandError, Operator

__all__ = ["OPERATORS", "OperandError", "Operator"]
