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
from auditor.evidence import Evidence, Fact, Facts
from auditor.operators import OperandError
from auditor.operators.values import typed
from auditor.rules.place import complaint
from bkp import decoding
from bkp.attestations.model import Attestation, Attestations
from bkp.errors import InputFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from auditor.rules.model import Rule

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """One scenario's outcome; `problem` is None where the verdict and its reason are as expected."""

    rule: str
    scenario: str
    problem: str | None


def run_scenarios(rule: Rule) -> Iterator[ScenarioResult]:
    """Judge each scenario of the rule at `NOW`. Raise `InputFileError` where a scenario's facts are not sound."""
    base = _base(rule)
    for index in range(len(rule.tests)):
        yield _run(rule, index, base)


def _run(rule: Rule, index: int, base: Mapping[str, Fact]) -> ScenarioResult:
    scenario = rule.tests[index]
    evidence = _evidence(rule, index, base)
    verdict = judge_rule(rule, evidence, evidence.facts, NOW)
    problem = None
    if verdict.verdict != scenario.expect:
        problem = f"wanted {scenario.expect}, got {verdict.verdict}: {verdict.reason}"
    elif scenario.because is not None and scenario.because not in verdict.reason:
        problem = f"wanted a reason with {scenario.because!r}, got: {verdict.reason}"
    return ScenarioResult(rule.id, scenario.name, problem)


def lint(rule: Rule) -> Iterator[InputFileError]:
    """Yield what is wrong with a sound rule: scenarios that are lacking or do not hold, a name that hides the id."""
    if not rule.source.endswith(f"{rule.id}.yml"):
        yield complaint(rule, ("id",), f"the file should be called {rule.id}.yml", remedy="rename it")
    if rule.can_fail and rule.failure is None:
        yield complaint(
            rule, ("title",), "failure is missing", at_key=True, remedy="add the title, said as its failure"
        )
    if rule.failure is not None and rule.failure.casefold() == rule.title.casefold():
        yield complaint(rule, ("failure",), "failure: the same as the title", remedy="say what is wrong when it fails")
    try:
        base = _base(rule)
    except InputFileError as exc:
        yield exc  # once, and not again for each scenario
        return
    names: set[str] = set()
    held = set()
    for index, scenario in enumerate(rule.tests):
        if scenario.name in names:
            yield _wrong(rule, ("tests", index, "name"), "another scenario has that name", "give it one of its own")
        names.add(scenario.name)
        try:
            problem = _run(rule, index, base).problem
        except InputFileError as exc:
            yield exc
            continue
        if problem is not None:
            yield _wrong(rule, ("tests", index, "expect"), problem, "correct the rule, or what the scenario wants")
        else:
            held.add(scenario.expect)
    for verdict in sorted(_to_be_proven(rule) - held):
        yield complaint(rule, ("tests",), f"no scenario proves {verdict}", at_key=True, remedy="add one to tests")


def _to_be_proven(rule: Rule) -> set[str]:
    wanted = {"pass"}
    if rule.check is not None:
        wanted.add("fail")
    if rule.attestation is not None:
        wanted.add("unattested")
    if rule.applies_when is not None:
        wanted.add("not_applicable")
    return wanted


def _base(rule: Rule) -> dict[str, Fact]:
    return {name: _fact(rule, ("base", name), raw) for name, raw in rule.base.items()}


def _evidence(rule: Rule, index: int, base: Mapping[str, Fact]) -> Evidence:
    scenario = rule.tests[index]
    own = {name: _fact(rule, ("tests", index, "facts", name), raw) for name, raw in scenario.facts.items()}
    left = {} if scenario.without == "all" else {name: base[name] for name in base if name not in scenario.without}
    records = tuple(_attestation(rule, index, number, raw) for number, raw in enumerate(scenario.attestations))
    return Evidence(Facts(left | own), "scenario", "UTC", NOW, Attestations(records))


def _wrong(rule: Rule, path: Sequence[str | int], message: str, remedy: str | None = None) -> InputFileError:
    where = f"scenario {rule.tests[path[1]].name!r}" if isinstance(path[1], int) else "base"
    return complaint(rule, path, f"{where}: {message}", remedy=remedy)


def _fact(rule: Rule, path: Sequence[str | int], raw: Any) -> Fact:
    """Return the fact. A mapping says more than a value: {error}, or {value, age}; `-P1D` is a time before `NOW`."""
    try:
        ref = resolve(str(path[-1]))
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
        raise _wrong(rule, path, str(exc), exc.remedy) from None
    except ValueError as exc:
        raise _wrong(rule, path, f"{path[-1]}: {exc}") from None


def _attestation(rule: Rule, index: int, number: int, raw: dict[str, Any]) -> Attestation:
    """Return the attestation; `age` and `valid_for` (durations) stand for the times, what is left out is filled in."""
    given = dict(raw)
    try:
        at = parse_iso_duration(given.pop("age", "PT1H")).before(NOW)
        until = parse_iso_duration(given.pop("valid_for", "P1Y")).after(at)
        defaults = {
            "id": hashlib.sha256(f"{rule.id} {number}".encode()).hexdigest()[:12],
            "statement": "as the scenario says",
            "who": "scenario",
            "host": "scenario",
            "at": at,
            "valid_until": until,
            "previous": "0" * 64,
        }
        record: Attestation = decoding.convert(defaults | given, Attestation)
    except (ValueError, msgspec.ValidationError) as exc:
        raise _wrong(rule, ("tests", index, "attestations", number), f"attestations[{number}]: {exc}") from None
    return record
