"""Scenarios start from the base facts of their rule, and say what differs; a base that is misused is named."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from auditor.rules.compiler import parse_rule
from auditor.rules.folder import load_rules
from auditor.rules.scenario_form import without_scenarios
from auditor.rules.scenarios import lint, run_scenarios
from bkp.errors import InputFileError
from tests.support.audit_world import rule, rule_text

RULES = Path(__file__).resolve().parents[3] / "rules"
OPENS = "borg.repo.main.opens"
WHEN = "mail.when"
BOTH = {"all": [{"fact": OPENS, "op": "eq", "value": True}, {"fact": WHEN, "op": "ne", "value": "never"}]}
BASE = {OPENS: True, WHEN: "always"}


def outcome(**scenario: Any) -> str | None:
    """Return what is wrong with the verdict of a scenario that starts from BASE."""
    one = rule(check=BOTH, base=BASE, tests=[{"name": "the one", "expect": "pass", **scenario}])
    (result,) = run_scenarios(one)
    return result.problem


def test_a_scenario_without_facts_has_those_of_the_base() -> None:
    assert outcome() is None


def test_a_fact_of_the_scenario_replaces_that_of_the_base_and_leaves_the_rest() -> None:
    assert outcome(facts={WHEN: "never"}, expect="fail", because="found 'never'") is None
    assert outcome(facts={WHEN: "problems"}) is None
    assert outcome(facts={OPENS: {"error": "locked"}}, expect="error", because="locked") is None


def test_the_same_value_may_be_said_again() -> None:
    assert outcome(facts=BASE) is None


def test_facts_of_other_names_come_on_top() -> None:
    scenario = {"name": "two", "facts": {"borg.repo.other.opens": False}, "expect": "fail", "because": "1 of 2"}
    one = rule(
        for_each={"fact": "borg.repo.*"},
        check={"fact": "borg.repo.*.opens", "op": "eq", "value": True},
        base={OPENS: True},
        tests=[scenario],
    )
    assert [result.problem for result in run_scenarios(one)] == [None]


def test_what_is_taken_from_the_base_is_missing() -> None:
    assert outcome(without=[WHEN], expect="fail", because="when mail is sent: found nothing") is None
    assert (
        outcome(without="all", expect="fail", because="main: opens with the configured passphrase: found nothing")
        is None
    )
    assert (
        outcome(without="all", facts={OPENS: True}, expect="fail", because="when mail is sent: found nothing") is None
    )
    assert outcome(without="all", facts=BASE) is None


@pytest.mark.parametrize(
    ("changes", "at", "wanted"),
    [
        ({"tests": [{"without": ["mail.wen"]}]}, '"mail.wen"', ["no fact of base", "did you mean 'mail.when'?"]),
        (
            {"tests": [{"without": ["host.uid"]}]},
            '"host.uid"',
            ["'host.uid' is no fact of base", "name a fact of base"],
        ),
        (
            {"tests": [{"facts": {OPENS: True}, "without": ["mail.when", OPENS]}]},
            f'"{OPENS}"\n   ]',
            ["stands in without and in facts", "remove it here"],
        ),
        ({"tests": [{"without": "everything"}]}, '"everything"', ["without", "'everything'"]),
        ({"tests": [{"without": [WHEN]}], "base": {}}, '"without"', ["there is no base to take from"]),
        ({"tests": [{"without": "all"}], "base": {}}, '"without"', ["there is no base to take from"]),
        ({"tests": []}, '"base"', ["base: no scenario starts from it"]),
        ({"base": [OPENS], "tests": [{}]}, '[\n  "borg.repo.main.opens', ["base: found a list, wanted a mapping"]),
        ({"tests": [{"facts": "HERE"}]}, '"HERE"', ["facts: found 'HERE', wanted a mapping"]),
    ],
)
def test_a_base_that_is_misused_is_refused_at_its_line(changes: dict[str, Any], at: str, wanted: list[str]) -> None:
    scenarios = [{"name": "the one", "expect": "pass", **scenario} for scenario in changes["tests"]]
    text = rule_text(**{"check": BOTH, "base": BASE, **changes, "tests": scenarios})
    with pytest.raises(InputFileError) as caught:
        parse_rule(text, "TST-999.yml")
    line = 1 + text[: text.index(at)].count("\n")
    message = str(caught.value)
    assert message.startswith(f"TST-999.yml:{line}:"), message
    for part in wanted:
        assert part in message


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("mail.wen", "always", ["unknown fact 'mail.wen'", "did you mean 'mail.when'?"]),
        ("mail.when", 5, ["mail.when: found the number 5"]),
        ("mail.when", {"age": "1d"}, ["mail.when:", "ISO 8601"]),
    ],
)
def test_a_base_fact_that_is_not_sound_is_complained_of_once(
    tmp_path: Path, name: str, value: Any, wanted: list[str]
) -> None:
    scenarios = [{"name": f"number {number}", "expect": "pass"} for number in range(3)]
    text = rule_text(base={name: value}, tests=scenarios)
    path = tmp_path / "TST-999.yml"
    path.write_text(text)
    one = parse_rule(text, str(path))
    (complaint,) = lint(one)
    line = 1 + text[: text.index(f'"{name}"')].count("\n")
    assert str(complaint).startswith(f"{path}:{line}:")
    assert ": base: " in str(complaint)
    for part in wanted:
        assert part in str(complaint)
    with pytest.raises(InputFileError, match="base: "):
        list(run_scenarios(one))


def test_a_shipped_rule_is_the_same_rule_without_its_scenarios() -> None:
    """An audit reads no scenario: what it judges by must not differ by a character."""
    whole, short = (load_rules(RULES, scenarios=wanted) for wanted in (True, False))
    assert whole.digest == short.digest
    for one, other in zip(whole.rules, short.rules, strict=True):
        assert one.tests
        assert not other.tests
        assert str(replace(one, base={}, tests=())) == str(other)


@pytest.mark.parametrize(
    "text",
    [
        "id: A\ntests: [\n{name: one}\n]\n",
        "id: A\ntests:\n  - {name: one}\ntests:\n  - {name: two}\n",
        "id: A\nbase: {mail.when: never}\n",
        '{"id": "A",\n"tests": []}\n',
        "id: A\n",
    ],
)
def test_scenarios_that_do_not_stand_clearly_apart_are_read(text: str) -> None:
    assert without_scenarios(text) is None


def test_blocks_of_scenarios_leave_the_lines_of_the_rest_where_they_are() -> None:
    text = "id: A\ntests:\n  - name: |\n\n      one\n# remark\nbase:\n  mail.when: never\nevery: run\n"
    assert without_scenarios(text) == b"id: A\n\n\n\n\n\n\n\nevery: run\n"


def test_an_error_below_the_scenarios_is_told_at_its_line() -> None:
    shipped = (RULES / "encryption/ENC-002.yml").read_text()
    with pytest.raises(InputFileError) as caught:
        parse_rule(shipped + "evry: run\n", "ENC-002.yml", scenarios=False)
    assert str(caught.value).startswith(f"ENC-002.yml:{shipped.count(chr(10)) + 1}:1: unknown key evry")
