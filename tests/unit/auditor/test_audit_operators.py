"""Each operator holds, and does not hold, where it should, and says what it found and wanted."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.operators import OPERATORS
from bkp.verdict import Verdict
from tests.support.audit_world import FINGERPRINT, NOW, OTHER_FINGERPRINT, fact, result_of, rule

MODE = "file.main.passphrase.mode"
TEXT = "host.name"
NUMBER = "host.uid"
LIST = "config.sources"
TIME = "borg.repo.main.newest_archive_at"


def ago(**span: int) -> str:
    return (NOW - timedelta(**span)).isoformat()


CASES: list[tuple[str, str, Any, Any, bool, str]] = [
    ("eq", TEXT, "a", "a", True, "found 'a', as wanted"),
    ("eq", TEXT, "a", "b", False, "found 'a', wanted 'b'"),
    ("eq", "borg.repo.main.opens", False, True, False, "found no, wanted yes"),
    ("ne", TEXT, "a", "b", True, "found 'a', wanted anything but 'b'"),
    ("ne", TEXT, "a", "a", False, "wanted anything but 'a'"),
    ("in", TEXT, "a", ["a", "b"], True, "wanted 'a' or 'b'"),
    ("in", TEXT, "c", ["a", "b"], False, "found 'c', wanted 'a' or 'b'"),
    ("not_in", TEXT, "c", ["a", "b"], True, "wanted neither 'a' nor 'b'"),
    ("not_in", TEXT, "a", ["a"], False, "wanted anything but 'a'"),
    ("lt", NUMBER, 4, 5, True, "less than 5"),
    ("lt", NUMBER, 5, 5, False, "less than 5"),
    ("le", NUMBER, 5, 5, True, "at most 5"),
    ("le", NUMBER, 6, 5, False, "at most 5"),
    ("gt", NUMBER, 6, 5, True, "more than 5"),
    ("gt", NUMBER, 5, 5, False, "more than 5"),
    ("ge", NUMBER, 5, 5, True, "at least 5"),
    ("ge", NUMBER, 4, 5, False, "found 4, wanted at least 5"),
    ("exists", TEXT, "a", None, True, "found 'a'"),
    ("exists", TEXT, None, None, False, "found nothing, wanted a value"),
    ("absent", TEXT, None, None, True, "found nothing, as wanted"),
    ("absent", TEXT, "a", None, False, "found 'a', wanted nothing"),
    ("matches", TEXT, "abc", "a.*", True, "of the form 'a.*'"),
    ("matches", TEXT, "xabc", "a.*", False, "of the form 'a.*'"),
    ("contains", LIST, ["a", "b"], "b", True, "a list with 'b'"),
    ("contains", LIST, ["a"], "b", False, "found a, wanted a list with 'b'"),
    ("superset_of", LIST, ["a", "b"], ["b"], True, "all of b"),
    ("superset_of", LIST, ["a"], ["a", "b"], False, "lacking b"),
    ("subset_of", LIST, ["a"], ["a", "b"], True, "none but a, b"),
    ("subset_of", LIST, ["a", "c"], ["a", "b"], False, "beyond them c"),
    ("count", LIST, [], 0, True, "found an empty list, as wanted"),
    ("count", LIST, ["a"], 0, False, "found a, wanted an empty list (it has 1)"),
    ("count", LIST, ["a", "b"], {"min": 2}, True, "at least 2 items"),
    ("count", LIST, ["a"], {"min": 2}, False, "at least 2 items (it has 1)"),
    ("count", LIST, ["a", "b"], {"max": 1}, False, "at most 1 item (it has 2)"),
    ("count", LIST, [], {"min": 1}, False, "found an empty list, wanted at least 1 item"),
    ("count", LIST, ["a"], 1, True, "found a, wanted 1 item"),
    ("mode_is", MODE, "0600", "0600", True, "found 0600, as wanted"),
    ("mode_is", MODE, "0400", "0600", False, "found 0400, wanted 0600"),
    ("mode_at_most", MODE, "0400", "0600", True, "at most 0600"),
    ("mode_at_most", MODE, "0500", "0600", False, "beyond it: owner execute"),
    (
        "mode_at_most",
        MODE,
        "0644",
        "0600",
        False,
        "found 0644, wanted at most 0600 (beyond it: group read, others read)",
    ),
    ("mode_at_most", MODE, "4600", "0600", False, "set-user-id"),
    ("younger_than", TIME, ago(hours=25), "PT26H", True, "at most 1 day 2 hours ago"),
    ("younger_than", TIME, ago(hours=27), "PT26H", False, "(1d 3h ago), wanted at most 1 day 2 hours ago"),
    ("younger_than", TIME, ago(hours=-1), "PT26H", False, "it lies in the future"),
    ("younger_than", TIME, ago(minutes=-4), "PT26H", True, "at most"),
    ("older_than", TIME, ago(days=40), "P1M", True, "more than 1 month ago"),
    ("older_than", TIME, ago(days=20), "P1M", False, "more than 1 month ago"),
]


@pytest.mark.parametrize(("op", "name", "value", "wanted", "holds", "sentence"), CASES)
def test_operator(op: str, name: str, value: Any, wanted: Any, holds: bool, sentence: str) -> None:
    check = {"fact": name, "op": op} | ({} if wanted is None else {"value": wanted})
    result = result_of(rule(check=check), {name: value})
    assert result.verdict is (Verdict.PASS if holds else Verdict.FAIL)
    assert sentence in result.reason
    assert name not in result.reason, "a reason is for people"
    assert result.subjects[0].observations[0].fact == name


def test_every_operator_is_tested_both_ways() -> None:
    tested = {(op, holds) for op, _name, _value, _wanted, holds, _sentence in CASES}
    assert tested == {
        (name, holds) for name, each in OPERATORS.items() if not each.reference for holds in (True, False)
    }


@pytest.mark.parametrize(
    ("live", "export", "verdict"),
    [
        (FINGERPRINT, FINGERPRINT, Verdict.PASS),
        (FINGERPRINT, OTHER_FINGERPRINT, Verdict.FAIL),
        (None, FINGERPRINT, Verdict.FAIL),
        (FINGERPRINT, None, Verdict.FAIL),
        (None, None, Verdict.FAIL),
    ],
)
def test_same_as_compares_two_facts_and_nothing_equals_nothing(live: str, export: str, verdict: Verdict) -> None:
    names = ("borg.repo.main.key_export_fingerprint", "borg.repo.main.key_fingerprint")
    one = rule(check={"fact": names[0], "op": "same_as", "value": names[1]})
    assert result_of(one, {names[0]: export, names[1]: live}).verdict is verdict


@pytest.mark.parametrize(
    ("found", "limit", "verdict", "words"),
    [
        (49, 50, Verdict.PASS, "found 49 degrees Celsius, wanted less than left: temperature limit, 50"),
        (50, 50, Verdict.FAIL, "found 50 degrees Celsius, wanted less than left: temperature limit, 50"),
        (None, 50, Verdict.FAIL, "found nothing"),
        (49, None, Verdict.FAIL, "wanted less than left: temperature limit, and that is not there"),
    ],
)
def test_lt_fact_compares_two_numbers(found: int | None, limit: int | None, verdict: Verdict, words: str) -> None:
    names = ("disk.left.temperature", "disk.left.temperature_limit")
    one = rule(check={"fact": names[0], "op": "lt_fact", "value": names[1]})
    result = result_of(one, {names[0]: found, names[1]: limit})
    assert result.verdict is verdict
    assert words in result.reason


def test_same_as_is_an_error_where_the_other_fact_could_not_be_had() -> None:
    names = ("borg.repo.main.key_export_fingerprint", "borg.repo.main.key_fingerprint")
    one = rule(check={"fact": names[0], "op": "same_as", "value": names[1]})
    values = {names[0]: FINGERPRINT, names[1]: fact(names[1], None, error="the repository is locked")}
    result = result_of(one, values)
    assert result.verdict is Verdict.ERROR
    assert "the repository is locked" in result.reason


@given(st.integers(0, 0o7777), st.integers(0, 0o7777))
def test_mode_at_most_is_about_bits_and_not_about_numbers(found: int, limit: int) -> None:
    one = rule(check={"fact": MODE, "op": "mode_at_most", "value": f"{limit:04o}"})
    verdict = result_of(one, {MODE: f"{found:04o}"}).verdict
    assert (verdict is Verdict.PASS) == all(not found >> bit & 1 or limit >> bit & 1 for bit in range(12))


def test_a_fingerprint_is_shown_with_twelve_digits() -> None:
    name = "borg.repo.main.key_fingerprint"
    result = result_of(rule(check={"fact": name, "op": "absent"}), {name: "abcdef" * 10 + "abcd"})
    assert "found abcdefabcdef, wanted" in result.reason


def test_a_private_value_is_never_shown() -> None:
    name = "file.main.passphrase.path"
    result = result_of(rule(check={"fact": name, "op": "absent"}), {name: "/root/.borg_env"})
    assert "/root" not in result.reason


def test_control_characters_of_evidence_are_made_visible() -> None:
    result = result_of(rule(check={"fact": TEXT, "op": "eq", "value": "a"}), {TEXT: "a\x1b[2J\u202e\x07"})
    assert "'a\\u001b[2J\\u202e\\u0007'" in result.reason


def test_long_lists_and_texts_are_cut_with_a_count() -> None:
    many = [f"s{number}" for number in range(1000)]
    reason = result_of(rule(check={"fact": LIST, "op": "count", "value": 0}), {LIST: many}).reason
    assert "and 990 more" in reason
    assert len(reason) < 300
    assert len(result_of(rule(check={"fact": TEXT, "op": "eq", "value": "a"}), {TEXT: "b" * 9999}).reason) < 300
