"""Rules, facts and judgements for tests of the auditor, built by the real readers from what a person would write."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor.catalogue import resolve
from auditor.engine import JudgeOptions, judge
from auditor.evidence import Evidence, Fact, Facts
from auditor.operators.values import typed
from auditor.rules.compiler import parse_rule
from auditor.rules.model import Rule, RuleSet
from bkp.attestations.model import Attestation, Attestations

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from auditor.engine.waivers import Exemption
    from auditor.report import Report, RuleResult

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
FINGERPRINT = "1" * 64
OTHER_FINGERPRINT = "2" * 64


def rule_text(**changes: Any) -> str:
    """Return a sound rule as YAML (JSON is YAML), with keys changed, or removed where the change is None."""
    rule: dict[str, Any] = {
        "schema": 1,
        "id": "TST-999",
        "title": "The passphrase opens the repository",
        "failure": "The passphrase does not open the repository",
        "severity": "high",
        "kind": "automated",
        "rationale": "Because nothing can be restored otherwise.",
        "remediation": {"text": "Find the passphrase that fits."},
        "every": "run",
        "check": {"fact": "borg.repo.main.opens", "op": "eq", "value": True},
    }
    rule |= changes
    return json.dumps({key: value for key, value in rule.items() if value is not None}, indent=1)


def rule(**changes: Any) -> Rule:
    return parse_rule(rule_text(**changes), "TST-999.yml")


def fact(name: str, value: Any, *, age: timedelta = timedelta(), error: str | None = None) -> Fact:
    known = None if value is None else typed(resolve(name).spec, value)
    return Fact(known, "test", NOW - age, error)


def facts(values: Mapping[str, Any]) -> Facts:
    """Return facts by name; a value that is a Fact already stays as it is."""
    return Facts({name: value if isinstance(value, Fact) else fact(name, value) for name, value in values.items()})


def evidence(values: Mapping[str, Any], records: Sequence[Attestation] = (), problem: str | None = None) -> Evidence:
    return Evidence(facts(values), "host", "UTC", NOW, Attestations(tuple(records), problem))


def attestation(**changes: Any) -> Attestation:
    given: dict[str, Any] = {
        "id": "a1",
        "topic": "borg-key",
        "subject": "safe",
        "level": "matched",
        "repository_id": "aa",
        "bound_to": FINGERPRINT,
        "statement": "compared",
        "who": "operator",
        "host": "host",
        "at": NOW - timedelta(days=10),
        "valid_until": NOW + timedelta(days=80),
        "previous": "0" * 64,
    }
    return Attestation(**(given | changes))


def report_on(
    rules: Sequence[Rule],
    values: Mapping[str, Any],
    *,
    records: Sequence[Attestation] = (),
    problem: str | None = None,
    exemptions: Sequence[Exemption] = (),
    now: datetime = NOW,
    zone: tzinfo = UTC,
    **options: Any,
) -> Report:
    """Judge rules on facts and return the report."""
    chosen = replace(JudgeOptions(now=now, zone=zone, program="test", minimum_applicable=0.0), **options)
    return judge(RuleSet(tuple(rules), "0" * 64, Path("rules")), evidence(values, records, problem), exemptions, chosen)


def result_of(one: Rule, values: Mapping[str, Any], **more: Any) -> RuleResult:
    """Judge one rule on facts and return its result."""
    return report_on([one], values, **more).results[0]
