"""A rule's value checked against a fact's declared type, and values said in words."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from auditor.catalogue import FactSpec, FactType, Value
from auditor.catalogue.model import TYPE_FORMS
from auditor.operators.registry import OperandError
from bkp.errors import did_you_mean
from bkp.printable import printable

MODE_FORM = re.compile(r"[0-7]{4}", re.ASCII)
FINGERPRINT_FORM = re.compile(r"[0-9a-f]{64}", re.ASCII)
SHOWN_DIGITS = 12
SHOWN_ITEMS = 10
SHOWN_TEXT = 200


def typed(spec: FactSpec, value: Any, kind: FactType | None = None) -> Value:
    """Return plain data as a value of the fact's type; raise `OperandError` naming the form where it is none."""
    kind = kind or spec.type
    parsed = _PARSERS[kind](value)
    if parsed is None:
        raise OperandError(f"found {describe(value)}, wanted {TYPE_FORMS[kind]} ({spec.name} is of type {kind})")
    if spec.values and isinstance(parsed, str) and parsed not in spec.values:
        hint = did_you_mean(parsed, spec.values)
        wanted = f"one of {', '.join(spec.values)}{f'; {hint}' if hint else ''}"
        raise OperandError(f"found {describe(value)}, wanted {wanted}")
    return parsed


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _time(value: Any) -> datetime | None:
    if isinstance(value, str) and len(value) <= 40 and value[10:11] == "T":
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        return None
    try:
        return value.astimezone(UTC)
    except OverflowError:
        return None


def _mode(value: Any) -> str | None:
    return value if isinstance(value, str) and MODE_FORM.fullmatch(value) else None


def _fingerprint(value: Any) -> str | None:
    return value if isinstance(value, str) and FINGERPRINT_FORM.fullmatch(value) else None


def _texts(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        return None
    return tuple(value)


_PARSERS = {
    FactType.TEXT: _text,
    FactType.INTEGER: _integer,
    FactType.NUMBER: _number,
    FactType.BOOLEAN: _boolean,
    FactType.TIME: _time,
    FactType.DURATION: _number,
    FactType.MODE: _mode,
    FactType.FINGERPRINT: _fingerprint,
    FactType.TEXT_LIST: _texts,
}


def describe(value: Any) -> str:
    """Say plain data as it stands in a file."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value if len(value) <= 60 else value[:57] + "...")
    if isinstance(value, int | float):
        return f"the number {value}"
    return "a list" if isinstance(value, list | tuple) else "a mapping"


def quoted(text: str) -> str:
    """Put text in quotes with every control character visible: evidence is untrusted."""
    return "'" + printable(text) + "'"


def show(spec: FactSpec, value: Value | None, now: datetime | None = None) -> str:
    """Say a fact's value for a report: bounded, printable, never a private value, 12 digits of a fingerprint."""
    if value is None:
        return "nothing"
    if spec.private:
        return "a value that is kept out of reports"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return show_time(value, now)
    if isinstance(value, tuple):
        return show_list(value)
    if isinstance(value, str):
        if spec.type is FactType.FINGERPRINT or FINGERPRINT_FORM.fullmatch(value):
            return value[:SHOWN_DIGITS]
        if spec.type is FactType.MODE:
            return value
        return quoted(value if len(value) <= SHOWN_TEXT else f"{value[:SHOWN_TEXT]}…")
    number = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    if not spec.unit or not spec.unit[0].isalpha():
        return number
    return f"{number} {spec.unit.removesuffix('s') if number == '1' else spec.unit}"


def show_list(items: tuple[str, ...]) -> str:
    """Say a list's first items and how many more there are."""
    if not items:
        return "an empty list"
    shown = ", ".join(printable(item[:SHOWN_TEXT]) for item in items[:SHOWN_ITEMS])
    return shown if len(items) <= SHOWN_ITEMS else f"{shown} and {len(items) - SHOWN_ITEMS} more"


def in_utc(moment: datetime) -> datetime:
    """Return the moment in UTC; one so near to the calendar's end that it has no such form keeps its digits."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return moment.replace(tzinfo=UTC)


def show_time(moment: datetime, now: datetime | None = None) -> str:
    """Say a time in UTC and, given `now`, how far away it is."""
    text = in_utc(moment).strftime("%Y-%m-%d %H:%M UTC")
    if now is None:
        return text
    from bkp.quantities import format_duration

    away = now - moment
    if away < timedelta():
        return f"{text} (in {format_duration(-away)})"
    return f"{text} ({format_duration(away)} ago)"
