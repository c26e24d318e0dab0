"""How long ago something was. A time in the future is never young: it means that a clock was wrong."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from auditor.catalogue import FactSpec, FactType, Value
from auditor.durations import IsoDuration, parse_iso_duration
from auditor.operators.registry import Answer, Form, OperandError, register
from auditor.operators.values import describe
from bkp.clock import CLOCK_TOLERANCE


def _duration(_spec: FactSpec, value: Any) -> IsoDuration:
    try:
        return parse_iso_duration(value)
    except ValueError as exc:
        raise OperandError(f"found {describe(value)}, {exc}") from None


def _younger(value: Value, operand: IsoDuration, now: datetime) -> Answer:
    assert isinstance(value, datetime)  # noqa: S101  # the operator takes times only
    if value > now + CLOCK_TOLERANCE:
        return Answer(holds=False, detail="it lies in the future")
    return Answer(value >= operand.before(now))


def _older(value: Value, operand: IsoDuration, now: datetime) -> Answer:
    assert isinstance(value, datetime)  # noqa: S101  # the operator takes times only
    return Answer(value < operand.before(now))


_AGE = Form(frozenset({FactType.TIME}), "an ISO 8601 duration", _duration, lambda _spec, operand: str(operand))
register(
    "younger_than", "The time lies at most this long ago, and not in the future.", _AGE, _younger, "at most {} ago"
)
register("older_than", "The time lies longer ago than this.", _AGE, _older, "more than {} ago")
