"""Whatever a rule file or a facts file holds: a verdict, or one clear error. Never a traceback, never a hang."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.facts_file import encode_evidence, load_evidence, parse_evidence
from auditor.render.html import render_html
from auditor.render.text import render_text
from auditor.rules.compiler import parse_rule
from bkp.errors import InputFileError
from tests.support.audit_world import NOW, evidence, fact, report_on, rule_text

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
SOUND = json.loads(rule_text())
KEYS = sorted(
    {*SOUND, "for_each", "applies_when", "attestation", "refs", "params", "tags", "tests", "max_age", "explain"}
)

FACT = {"value": "borg", "source": "test", "collected_at": "2026-01-31T12:00:00Z"}
FILE: dict[str, Any] = {
    "schema": 1,
    "program": "test",
    "host": "host",
    "timezone": "UTC",
    "collected_at": "2026-01-31T12:00:00Z",
    "facts": {"host.name": FACT},
}


def try_rule(content: bytes | str) -> None:
    try:
        found = parse_rule(content, "rule.yml")
    except InputFileError as exc:
        assert str(exc).startswith("rule.yml")  # noqa: PT017  # both outcomes are right
        return
    report_on([found], {})


@given(st.binary(max_size=400))
@settings(max_examples=100, deadline=None)
def test_any_bytes_as_a_rule(content: bytes) -> None:
    try_rule(content)


@given(st.binary(max_size=40), st.integers(0, 800), st.integers(0, 30))
@settings(max_examples=200, deadline=None)
def test_a_sound_rule_with_bytes_replaced(junk: bytes, at: int, length: int) -> None:
    text = rule_text().encode()
    try_rule(text[:at] + junk + text[at + length :])


@given(st.sampled_from(KEYS), trees)
@settings(max_examples=200, deadline=None)
def test_a_sound_rule_with_any_value_in_any_place(key: str, value: Any) -> None:
    try_rule(json.dumps(SOUND | {key: value}))


@given(
    trees, st.sampled_from(["eq", "in", "count", "matches", "mode_at_most", "younger_than", "same_as", "superset_of"])
)
@settings(max_examples=200, deadline=None)
def test_a_condition_with_any_value(value: Any, op: str) -> None:
    for name in ("host.name", "host.uid", "config.sources", "file.main.passphrase.mode", "mail.last_result_at"):
        try_rule(rule_text(check={"fact": name, "op": op, "value": value}))


def try_facts(content: bytes) -> None:
    try:
        found = parse_evidence(content, "facts.json")
    except InputFileError as exc:
        assert str(exc).startswith("facts.json")  # noqa: PT017  # both outcomes are right
        return
    report = report_on([parse_rule(rule_text(), "rule.yml")], dict(found.facts.items()))
    render_text(report)


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_bytes_as_facts(content: bytes) -> None:
    try_facts(content)


@given(st.binary(max_size=30), st.integers(0, 260), st.integers(0, 30))
@settings(max_examples=200, deadline=None)
def test_sound_facts_with_bytes_replaced(junk: bytes, at: int, length: int) -> None:
    text = json.dumps(FILE).encode()
    try_facts(text[:at] + junk + text[at + length :])


@given(st.sampled_from(sorted(FILE)), trees)
@settings(max_examples=100, deadline=None)
def test_sound_facts_with_any_value_in_any_place(key: str, value: Any) -> None:
    try_facts(json.dumps(FILE | {key: value}).encode())


@given(st.text(max_size=30), trees)
@settings(max_examples=100, deadline=None)
def test_any_fact_of_any_value(name: str, value: Any) -> None:
    for known in ("host.name", "host.uid", "mail.last_result_at", "file.x.mode", "config.sources", name):
        try_facts(json.dumps(FILE | {"facts": {known: FACT | {"value": value}}}).encode())


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"facts": {"host.nam": FACT}}, "did you mean 'host.name'"),
        ({"facts": {"host.name": FACT | {"value": 5}}}, "host.name: found the number 5, wanted text"),
        ({"facts": {"host.name": FACT | {"error": "both"}}}, "found both value and error"),
        ({"facts": {"file.x.mode": FACT | {"value": "600"}}}, "four octal digits"),
        ({"facts": {"audit.rules": FACT | {"value": 5}}}, "known when judging only"),
        ({"facts": {"borg.repo.*.id": FACT}}, "names no instance"),
        ({"facts": {"host.name": FACT | {"collected_at": "2026-01-31T12:00:00"}}}, "timezone"),
        ({"schema": 2}, "is not a facts file"),
        ({"unknown": 1}, "unknown field"),
        ({"facts": {"config.fail_on": FACT | {"value": "catastrophic"}}}, "wanted one of critical, high"),
    ],
)
def test_unsound_facts_are_refused_with_the_reason(change: dict[str, Any], wanted: str) -> None:
    with pytest.raises(InputFileError) as caught:
        parse_evidence(json.dumps(FILE | change, indent=1).encode(), "facts.json")
    assert wanted in str(caught.value)


def test_an_error_in_a_facts_file_names_the_line() -> None:
    content = json.dumps(FILE | {"facts": {"host.name": FACT, "host.nam": FACT}}, indent=1).encode()
    with pytest.raises(InputFileError) as caught:
        parse_evidence(content, "facts.json")
    assert content.splitlines()[int(str(caught.value).split(":")[1]) - 1].strip().startswith(b'"host.nam"')


def test_torn_truncated_and_missing_facts_are_refused(tmp_path: Path) -> None:
    whole = json.dumps(FILE).encode()
    for length in range(0, len(whole), 7):
        with pytest.raises(InputFileError):
            parse_evidence(whole[:length], "facts.json")
    with pytest.raises(InputFileError, match="no such facts file"):
        load_evidence(tmp_path / "facts.json")


def test_evidence_survives_saving_and_loading() -> None:
    values = {
        "host.name": "backup",
        "host.uid": 0,
        "config.sources": ["a", "b"],
        "mail.last_result_at": NOW.isoformat(),
        "archive.main.size_ratio": 1.5,
        "borg.repo.main.opens": False,
        "borg.repo.main.id": fact("borg.repo.main.id", None, error="locked"),
        "mail.last_result": None,
    }
    before = evidence(values)
    after = parse_evidence(encode_evidence(before, "test"), "facts.json")
    assert dict(after.facts.items()) == dict(before.facts.items())
    assert (after.host, after.timezone, after.collected_at) == (before.host, before.timezone, before.collected_at)


HOSTILE = '<script>alert(1)</script><img src="http://evil.example/x">\x1b[31m\u202e"\'{{ 7*7 }}'


def test_hostile_evidence_is_harmless_in_every_view() -> None:
    one = parse_rule(rule_text(check={"fact": "host.name", "op": "eq", "value": "a"}, explain=["host.os"]), "rule.yml")
    report = report_on([one], {"host.name": HOSTILE, "host.os": HOSTILE})
    page = render_html(report)
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page
    assert "49" not in page.split("</style>")[1].split("Evidence supporting")[0]
    for view in (page, render_text(report)):
        assert "\x1b" not in view
        assert "\u202e" not in view
