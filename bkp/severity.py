"""How much a rule of the audit matters. Configuration, rules, facts and reports know these five, the worst first."""

from __future__ import annotations

from typing import Literal, get_args

Severity = Literal["critical", "high", "medium", "low", "info"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
