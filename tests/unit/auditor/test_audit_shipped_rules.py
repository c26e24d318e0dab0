"""The shipped rules: sound, proven by their scenarios, and documented."""

import re
from pathlib import Path

import pytest

from auditor.catalogue import NAMESPACES
from auditor.docs import pages
from auditor.operators import OPERATORS
from auditor.rules.folder import load_frameworks, load_rules
from auditor.rules.model import Rule
from auditor.rules.scenarios import lint, run_scenarios

ROOT = Path(__file__).resolve().parents[3]
RULES = load_rules(ROOT / "rules", scenarios=True)


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.id)
def test_every_scenario_gives_the_wanted_verdict(rule: Rule) -> None:
    results = list(run_scenarios(rule))
    assert [result.problem for result in results if result.problem] == []
    assert len(results) >= 2


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.id)
def test_every_rule_is_proven_both_ways(rule: Rule) -> None:
    assert list(lint(rule)) == []


def test_there_is_a_rule_for_every_concern() -> None:
    areas = {Path(rule.source).parent.name for rule in RULES.rules}
    assert areas == {
        "audit", "disks", "encryption", "history", "host", "keys", "mail", "permissions", "replication", "restore",
        "retention", "runs", "zfs",
    }  # fmt: skip
    assert len(RULES.rules) >= 20


def test_every_rule_cites_only_listed_clauses() -> None:
    frameworks = load_frameworks(ROOT / "rules", RULES)
    assert all(rule.refs for rule in RULES.rules)
    assert len(frameworks) == 8


def test_no_rule_asks_of_root_what_it_says_is_forbidden() -> None:
    commands = [line for rule in RULES.rules for line in rule.commands]
    assert not [
        line for line in commands if re.search(r"\brm ", line) or "key import" in line or "check --repair" in line
    ]


@pytest.mark.parametrize("name", sorted(pages()))
def test_the_generated_pages_are_current(name: str) -> None:
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == pages()[name], "run: python -m auditor.docs docs"


def test_the_pages_name_every_fact_and_every_operator() -> None:
    facts = pages()["facts.md"]
    assert all(spec.name in facts for space in NAMESPACES for spec in space.fields.values())
    assert all(f"| `{name}` |" in pages()["rules.md"] for name in OPERATORS)
