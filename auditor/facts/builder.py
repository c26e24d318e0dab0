"""Gathers facts under the names of the catalogue. A fact that the catalogue lacks is a defect and raises at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.catalogue import namespace
from auditor.evidence import Fact
from auditor.operators.values import typed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class FactBuilder:
    """Facts being collected at one moment."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.facts: dict[str, Fact] = {}

    def add(
        self,
        space: str,
        instance: str | None,
        source: str,
        values: Mapping[str, object],
        *,
        at: datetime | None = None,
    ) -> None:
        """Add facts of one instance. None is "looked for, and not there"; `at` is when it was observed, if not now."""
        known = namespace(space)
        if known is None or (known.instance is None) != (instance is None):
            raise KeyError(space)
        prefix = space if instance is None else f"{space}.{instance}"
        for field, value in values.items():
            spec = known.fields[field]
            checked = None if value is None else typed(spec, value)
            self.facts[f"{prefix}.{field}"] = Fact(checked, source, at or self.now)

    def fail(self, space: str, instance: str | None, source: str, reason: str, fields: tuple[str, ...] = ()) -> None:
        """Add an error for `fields` of one instance; without `fields`, for all that have no value yet."""
        known = namespace(space)
        if known is None:
            raise KeyError(space)
        prefix = space if instance is None else f"{space}.{instance}"
        for field in fields or known.fields:
            if field not in known.fields:
                raise KeyError(field)
            if fields or f"{prefix}.{field}" not in self.facts:
                self.facts[f"{prefix}.{field}"] = Fact(None, source, self.now, reason)
