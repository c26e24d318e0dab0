"""Evidence in memory: facts with their source and time, and what people attested. Pure data."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

from bkp.attestations.model import Attestations

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from auditor.catalogue import Value


@dataclass(frozen=True, slots=True)
class Fact:
    """A value and where it is from; or, in `error`, why it could not be had.

    A fact with neither value nor error was looked for and is not there. `collected_at` is when the thing was observed:
    for something that a run recorded, the end of that run.
    """

    value: Value | None
    source: str
    collected_at: datetime
    error: str | None = None


class Facts:
    """All facts of one audit, by name."""

    def __init__(self, facts: Mapping[str, Fact]) -> None:
        self._facts = dict(facts)
        self._instances: dict[str, list[str]] = {}

    def __len__(self) -> int:
        return len(self._facts)

    def get(self, name: str) -> Fact | None:
        """Return the fact of that name, or None if nobody collected it."""
        return self._facts.get(name)

    def text(self, name: str) -> str | None:
        """Return a text fact's value, None where there is none."""
        fact = self._facts.get(name)
        return fact.value if fact is not None and isinstance(fact.value, str) else None

    def items(self) -> Iterable[tuple[str, Fact]]:
        """Return every fact with its name, in the order of collection."""
        return self._facts.items()

    def instances(self, namespace: str) -> list[str]:
        """Return the instances of a namespace, sorted."""
        if namespace not in self._instances:
            prefix = namespace + "."
            found = {name[len(prefix) :].rpartition(".")[0] for name in self._facts if name.startswith(prefix)}
            self._instances[namespace] = sorted(found - {""})
        return self._instances[namespace]

    def including(self, more: Mapping[str, Fact]) -> Facts:
        """Return these facts and `more`, which wins."""
        return Facts(self._facts | dict(more))


@dataclass(frozen=True)
class Evidence:
    """All that one judgement is made from, and where and when it was collected. Times are UTC.

    `timezone` names the host's `zone`, for people and for files; a zone need not have a name that other machines know.
    """

    facts: Facts
    host: str
    timezone: str
    collected_at: datetime
    attestations: Attestations = field(default_factory=Attestations)
    zone: tzinfo = UTC
