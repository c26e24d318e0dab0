"""The scenarios beside each rule: facts in, verdict out, without a host. `bkp-audit rules test` and `lint` use them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from auditor.catalogue import FactType, UnknownFactError, resolve
from auditor.durations import parse_iso_duration
from auditor.engine.rule import judge_rule
from auditor.evidence import Attestation, Attestations, Evidence, Fact, Facts
from auditor.operators import OperandError
from auditor.operators.values import typed
from bkp.errors import InputFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.rules.model import Rule
    from auditor.rules.schema import Scenario

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
NOW_TEXT = NOW.isoformat()


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """One scenario's outcome; `problem` is None where the verdict and its reason are as expected."""

    rule: str
    scenario: str
    expected: str
    problem: str | None


def run_scenarios(rule: Rule) -> Iterator[ScenarioResult]:
    """Judge each scenario of the rule at `NOW`. Raise `InputFileError` where a scenario's facts are not sound."""
    for scenario in rule.tests:
        evidence = _evidence(rule, scenario)
        verdict = judge_rule(rule, evidence, evidence.facts, NOW)
        problem = None
        if verdict.verdict != scenario.expect:
            problem = f"wanted {scenario.expect}, got {verdict.verdict}: {verdict.reason}"
        elif scenario.because is not None and scenario.because not in verdict.reason:
            problem = f"wanted a reason with {scenario.because!r}, got: {verdict.reason}"
        yield ScenarioResult(rule.id, scenario.name, scenario.expect, problem)


def lint(rule: Rule) -> Iterator[str]:
    """Yield what is wrong with a sound rule: scenarios that are lacking, a file name that hides the id."""
    expected = {scenario.expect for scenario in rule.tests}
    names = [scenario.name for scenario in rule.tests]
    wanted = (
        {"pass"}
        | ({"fail"} if rule.check is not None else set())
        | ({"unattested"} if rule.attestation is not None else set())
    )
    if rule.applies_when is not None:
        wanted.add("not_applicable")
    for verdict in sorted(wanted - expected):
        yield f"no scenario expects {verdict}"
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"two scenarios are called {name!r}"
    if not rule.source.endswith(f"{rule.id}.yml"):
        yield f"the file should be called {rule.id}.yml"


def _evidence(rule: Rule, scenario: Scenario) -> Evidence:
    facts = {name: _fact(rule, scenario, name, raw) for name, raw in scenario.facts.items()}
    records = tuple(_attestation(rule, scenario, index, raw) for index, raw in enumerate(scenario.attestations))
    return Evidence(Facts(facts), "scenario", "UTC", NOW, Attestations(records))


def _wrong(rule: Rule, scenario: Scenario, message: str, remedy: str | None = None) -> InputFileError:
    return InputFileError(rule.source, None, f"scenario {scenario.name!r}: {message}", remedy=remedy)


def _fact(rule: Rule, scenario: Scenario, name: str, raw: Any) -> Fact:
    """Return the fact. A mapping says more than a value: {error}, or {value, age}; `-P1D` is a time before `NOW`."""
    try:
        ref = resolve(name)
        value, error, collected = raw, None, NOW
        if isinstance(raw, dict):
            if not raw or set(raw) - {"value", "error", "age"}:
                raise OperandError("wanted a value, or a mapping of value, error and age")
            value, error = raw.get("value"), raw.get("error")
            if "age" in raw:
                collected = parse_iso_duration(raw["age"]).before(NOW)
        if ref.spec.type is FactType.TIME and isinstance(value, str) and value[:1] in {"-", "+"}:
            span = parse_iso_duration(value[1:])
            value = span.before(NOW) if value[0] == "-" else span.after(NOW)
        if error is not None and not isinstance(error, str):
            raise OperandError("error: wanted text")
        return Fact(None if value is None else typed(ref.spec, value), "scenario", collected, error)
    except UnknownFactError as exc:
        remedy = f"did you mean {exc.nearest!r}?" if exc.nearest else None
        raise _wrong(rule, scenario, str(exc), remedy) from None
    except ValueError as exc:
        raise _wrong(rule, scenario, f"{name}: {exc}") from None


def _attestation(rule: Rule, scenario: Scenario, index: int, raw: dict[str, Any]) -> Attestation:
    """Return the attestation; `age` and `valid_for` (durations) stand for the times, what is left out is filled in."""
    given = dict(raw)
    try:
        at = parse_iso_duration(given.pop("age", "PT1H")).before(NOW)
        until = parse_iso_duration(given.pop("valid_for", "P1Y")).after(at)
        defaults = {
            "id": hashlib.sha256(f"{rule.id} {index}".encode()).hexdigest()[:12],
            "statement": "as the scenario says",
            "who": "scenario",
            "host": "scenario",
            "at": at,
            "valid_until": until,
            "previous": "0" * 64,
        }
        return msgspec.convert(defaults | given, Attestation)
    except (ValueError, msgspec.ValidationError) as exc:
        raise _wrong(rule, scenario, f"attestations[{index}]: {exc}") from None
