"""A rule as the engine judges it: names resolved, values typed, nothing left to look up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from auditor.catalogue import FactRef
    from auditor.durations import IsoDuration
    from auditor.operators import Operator
    from auditor.rules.schema import Clause, Kind, OnEmpty, OnMissing, Scenario
    from bkp.attestations.model import Level
    from bkp.severity import Severity


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison. `other` is the fact that a reference operator compares with."""

    fact: FactRef
    operator: Operator
    operand: Any
    on_missing: OnMissing
    other: FactRef | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """All, any or none of some conditions; never empty."""

    kind: Literal["all", "any", "none"]
    items: tuple[Check, ...]


Check = Condition | Group


@dataclass(frozen=True, slots=True)
class Applicability:
    """When the rule applies, and what to say where it does not."""

    check: Check
    reason: str


@dataclass(frozen=True, slots=True)
class Each:
    """The instances that are judged one by one."""

    namespace: str
    where: Check | None
    on_empty: OnEmpty
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """The attestation that is wanted; facts are resolved for each instance. `location`: what its subject must hold."""

    topic: str
    question: str
    level: Level
    valid_for: IsoDuration
    subject: str | None
    subject_from: FactRef | None
    repository: FactRef | None
    bind_to: FactRef | None
    location: str | None = None
    whole_term: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that is known to be sound. `every` and `max_age` None: on every run, and no limit.

    `base` and `tests` are empty where it was read to be judged: nobody asks for its scenarios then.
    """

    id: str
    title: str
    severity: Severity
    kind: Kind
    rationale: str
    remediation: str
    commands: tuple[str, ...]
    every: IsoDuration | None
    check: Check | None
    source: str
    failure: str | None = None
    applies_when: Applicability | None = None
    each: Each | None = None
    max_age: IsoDuration | None = None
    explain: tuple[FactRef, ...] = ()
    attestation: Wanted | None = None
    refs: dict[str, tuple[Clause, ...]] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    base: dict[str, Any] = field(default_factory=dict)
    tests: tuple[Scenario, ...] = ()

    @property
    def interval(self) -> str:
        """Return how often it must hold, as the file says it: `run`, or a duration."""
        return self.every.text if self.every else "run"

    @property
    def can_fail(self) -> bool:
        """Return whether it may fail: what is only attested may not, but where there is nothing to attest."""
        return self.check is not None or (self.each is not None and self.each.on_empty == "fail")

    @property
    def waivable(self) -> bool:
        """Return whether it may be waived: not if it judges the audit itself, its waivers among that."""
        return self.check is None or not any(fact.namespace == "audit" for fact in _facts(self.check))


def _facts(check: Check) -> Iterator[FactRef]:
    if isinstance(check, Condition):
        yield check.fact
        return
    for item in check.items:
        yield from _facts(item)


@dataclass(frozen=True)
class RuleSet:
    """All rules of one folder, by id, and the SHA-256 over their files, so that a report says what it judged by."""

    rules: tuple[Rule, ...]
    digest: str
    folder: Path
