"""Gathers facts under the names of the catalogue. A fact that the catalogue lacks is a defect and raises at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.catalogue import namespace
from auditor.evidence import Fact
from auditor.operators.values import typed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from auditor.catalogue import Namespace


class FactBuilder:
    """Facts being collected at one moment."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.facts: dict[str, Fact] = {}

    def of(self, space: str, instance: str | None = None) -> FactGroup:
        """Return where the facts of a namespace, or of one instance of it, are added."""
        known = namespace(space)
        if known is None or (known.instance is None) != (instance is None):
            raise KeyError(space)
        return FactGroup(self, known, space if instance is None else f"{space}.{instance}")


class FactGroup:
    """The facts of a namespace, or of one instance of it. `source` says where they are from."""

    def __init__(self, builder: FactBuilder, space: Namespace, prefix: str) -> None:
        self.fields = space.fields
        self.now = builder.now
        self._builder = builder
        self._prefix = prefix

    def add(self, source: str, values: Mapping[str, object], *, at: datetime | None = None) -> None:
        """Add facts. None is "looked for, and not there"; `at` is when they were observed, if not now."""
        for field, value in values.items():
            checked = typed(self.fields[field], value) if value is not None else None
            self._builder.facts[f"{self._prefix}.{field}"] = Fact(checked, source, at or self._builder.now)

    def fail(self, source: str, reason: str, fields: tuple[str, ...] = ()) -> None:
        """Add an error for `fields`; without `fields`, for all that have no value yet."""
        for field in fields or self.fields:
            if field not in self.fields:
                raise KeyError(field)
            if fields or f"{self._prefix}.{field}" not in self._builder.facts:
                self._builder.facts[f"{self._prefix}.{field}"] = Fact(None, source, self._builder.now, reason)

    def add_known(self, source: str, values: Mapping[str, object], reason: str, *, at: datetime | None = None) -> None:
        """Add facts, and for each whose value is None the error that it is not known, for this reason."""
        self.add(source, {field: value for field, value in values.items() if value is not None}, at=at)
        if unknown := tuple(field for field, value in values.items() if value is None):
            self.fail(source, reason, unknown)
