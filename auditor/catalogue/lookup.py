"""Fact names to declarations: `borg.repo.main.encryption`, or `borg.repo.*.encryption` inside a `for_each`."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditor.catalogue.entries import NAMESPACES
from bkp.errors import did_you_mean

if TYPE_CHECKING:
    from auditor.catalogue.model import FactSpec, Namespace

EACH = "*"
_BY_NAME = {space.name: space for space in NAMESPACES}
_LONGEST_FIRST = sorted(NAMESPACES, key=lambda space: -len(space.name))


class UnknownFactError(ValueError):
    """A name that the catalogue does not have; `remedy` says the closest name it has, if one is close."""

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class FactRef:
    """A declared fact, and of which instance: None where there is one only, `*` for the one `for_each` is at."""

    spec: FactSpec
    namespace: str
    field: str
    instance: str | None

    def name(self, instance: str | None = None) -> str:
        """Return the full name, with `instance` in the place of `*`."""
        if self.instance is None:
            return f"{self.namespace}.{self.field}"
        return f"{self.namespace}.{instance if self.instance == EACH and instance else self.instance}.{self.field}"

    def said(self) -> str:
        """Return what reports call it. Of which instance is said only where that is not the one a rule is at."""
        if self.instance is None or self.instance == EACH:
            return self.spec.words
        return f"{self.instance}: {self.spec.words}"


def namespace(name: str) -> Namespace | None:
    """Return the namespace of that name."""
    return _BY_NAME.get(name)


def all_names() -> list[str]:
    """Return every fact's name, `*` standing for instances."""
    return [spec.name for space in NAMESPACES for spec in space.fields.values()]


@functools.lru_cache(maxsize=4096)
def resolve(name: str) -> FactRef:
    """Return what `name` refers to. Raise `UnknownFactError`, with the nearest known name, where it is none."""
    for space in _LONGEST_FIRST:
        if not name.startswith(space.name + "."):
            continue
        rest = name[len(space.name) + 1 :]
        instance, _, field = rest.rpartition(".") if space.instance else (None, "", rest)
        if field in space.fields and instance != "":
            return FactRef(space.fields[field], space.name, field, instance)
    raise UnknownFactError(f"unknown fact {name[:120]!r}", did_you_mean(name, all_names()))
