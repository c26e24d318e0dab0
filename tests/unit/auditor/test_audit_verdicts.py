"""Verdicts are honest: what is not known is never a pass, and nothing drops out of the totals."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.exit_codes import AuditExit
from auditor.render.words import headline
from bkp.verdict import Verdict
from tests.support.audit_world import NOW, fact, report_on, result_of, rule

UID = "host.uid"
GID = "host.gid"


def is_zero(name: str, **more: Any) -> dict[str, Any]:
    return {"fact": name, "op": "eq", "value": 0} | more


BROKEN = fact(UID, None, error="permission denied")

# What each kind of evidence does to `uid is 0`, and to `none of [uid is 0]`.
TRUTHS: list[tuple[dict[str, Any], Verdict, Verdict]] = [
    ({UID: 0}, Verdict.PASS, Verdict.FAIL),
    ({UID: 5}, Verdict.FAIL, Verdict.PASS),
    ({}, Verdict.FAIL, Verdict.FAIL),
    ({UID: None}, Verdict.FAIL, Verdict.FAIL),
    ({UID: BROKEN}, Verdict.ERROR, Verdict.ERROR),
]


@pytest.mark.parametrize(("values", "plain", "negated"), TRUTHS)
def test_what_is_not_known_is_no_pass_under_none_either(
    values: dict[str, Any], plain: Verdict, negated: Verdict
) -> None:
    assert result_of(rule(check=is_zero(UID)), values).verdict is plain
    assert result_of(rule(check={"none": [is_zero(UID)]}), values).verdict is negated
    assert result_of(rule(check={"none": [{"none": [is_zero(UID)]}]}), values).verdict is plain
    assert result_of(rule(check={"all": [is_zero(UID)]}), values).verdict is plain
    assert result_of(rule(check={"any": [is_zero(UID)]}), values).verdict is plain


@pytest.mark.parametrize(
    ("group", "values", "verdict"),
    [
        ("all", {UID: 0, GID: 0}, Verdict.PASS),
        ("all", {UID: 5, GID: BROKEN}, Verdict.FAIL),
        ("all", {UID: 0, GID: BROKEN}, Verdict.ERROR),
        ("all", {GID: BROKEN}, Verdict.FAIL),
        ("any", {UID: 0, GID: BROKEN}, Verdict.PASS),
        ("any", {UID: 5, GID: BROKEN}, Verdict.ERROR),
        ("any", {UID: 5}, Verdict.FAIL),
        ("none", {UID: 0, GID: BROKEN}, Verdict.FAIL),
        ("none", {UID: 5, GID: BROKEN}, Verdict.ERROR),
        ("none", {UID: 5, GID: 5}, Verdict.PASS),
    ],
)
def test_groups_decide_only_by_what_is_known(group: str, values: dict[str, Any], verdict: Verdict) -> None:
    assert result_of(rule(check={group: [is_zero(UID), is_zero(GID)]}), values).verdict is verdict


def test_missing_can_be_made_an_error_for_the_rule_or_one_condition() -> None:
    assert result_of(rule(check=is_zero(UID), on_missing="error"), {}).verdict is Verdict.ERROR
    assert result_of(rule(check=is_zero(UID, on_missing="error")), {}).verdict is Verdict.ERROR
    assert result_of(rule(check=is_zero(UID, on_missing="fail"), on_missing="error"), {}).verdict is Verdict.FAIL


def test_the_reason_is_of_the_conditions_that_decided() -> None:
    reason = result_of(rule(check={"all": [is_zero(UID), is_zero(GID)]}), {UID: 0, GID: 7}).reason
    assert reason == "group that runs the audit: found 7, wanted 0"


@pytest.mark.parametrize(
    ("age", "verdict"),
    [(timedelta(hours=25), Verdict.ERROR), (timedelta(hours=23), Verdict.PASS), (timedelta(hours=-1), Verdict.ERROR)],
)
def test_stale_evidence_and_evidence_of_the_future_are_errors(age: timedelta, verdict: Verdict) -> None:
    result = result_of(rule(check=is_zero(UID), max_age="P1D"), {UID: fact(UID, 0, age=age)})
    assert result.verdict is verdict
    if verdict is Verdict.ERROR:
        assert "stale evidence" in result.reason or "dated in the future" in result.reason


def test_evidence_of_the_future_is_an_error_even_without_a_limit() -> None:
    assert result_of(rule(check=is_zero(UID)), {UID: fact(UID, 0, age=timedelta(days=-1))}).verdict is Verdict.ERROR


APPLIES = {"reason": "there is no such thing here", "fact": "mail.when", "op": "ne", "value": "never"}


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ({"mail.when": "always", UID: 0}, Verdict.PASS),
        ({"mail.when": "never", UID: 0}, Verdict.NOT_APPLICABLE),
        ({UID: 0}, Verdict.ERROR),
        ({"mail.when": fact("mail.when", None, error="unreadable"), UID: 0}, Verdict.ERROR),
    ],
)
def test_only_applies_when_makes_a_rule_not_applicable(values: dict[str, Any], verdict: Verdict) -> None:
    result = result_of(rule(check=is_zero(UID), applies_when=APPLIES), values)
    assert result.verdict is verdict
    if verdict is Verdict.NOT_APPLICABLE:
        assert result.reason == "there is no such thing here", "a sentence; the facts are the evidence beside it"
        (evidence,) = (item for subject in result.subjects for item in subject.observations)
        assert evidence.sentence == "when mail is sent: found 'never', wanted anything but 'never'"


EACH = {"for_each": {"fact": "borg.repo.*"}, "check": {"fact": "borg.repo.*.opens", "op": "eq", "value": True}}


@pytest.mark.parametrize("on_empty", ["fail", "error", "not_applicable"])
def test_an_empty_list_never_makes_a_rule_vanish(on_empty: str) -> None:
    one = rule(**(EACH | {"for_each": {"fact": "borg.repo.*", "on_empty": on_empty, "reason": "there is none"}}))
    report = report_on([one], {})
    assert report.totals.rules == len(report.results) == 1
    assert report.results[0].verdict == on_empty
    assert report.results[0].reason == "there is none"


def test_a_rule_over_several_gets_the_verdict_of_the_worst_and_names_it() -> None:
    broken = fact("borg.repo.b.opens", None, error="locked")
    result = result_of(
        rule(**EACH), {"borg.repo.a.opens": True, "borg.repo.b.opens": broken, "borg.repo.c.opens": False}
    )
    assert result.verdict is Verdict.FAIL
    assert result.reason.startswith("1 of 3: c: ")
    assert [subject.name for subject in result.subjects] == ["c", "b", "a"]


def test_where_chooses_and_a_choice_that_cannot_be_made_is_an_error() -> None:
    where = {"fact": "borg.repo.*.encryption", "op": "ne", "value": "none"}
    one = rule(**(EACH | {"for_each": {"fact": "borg.repo.*", "where": where}}))
    values = {"borg.repo.a.opens": True, "borg.repo.a.encryption": "repokey", "borg.repo.b.encryption": "none"}
    assert result_of(one, values).subject_count == 1
    values["borg.repo.b.encryption"] = fact("borg.repo.b.encryption", None, error="locked")
    result = result_of(one, values)
    assert result.verdict is Verdict.ERROR
    assert "cannot tell whether it is meant" in result.reason


def test_evidence_is_capped_and_counted() -> None:
    values = {f"borg.repo.r{number}.opens": False for number in range(500)}
    result = result_of(rule(**EACH), values)
    assert result.subject_count == 500
    assert len(result.subjects) == 50


def test_an_explanation_is_said_beside_a_verdict_that_is_no_pass() -> None:
    one = rule(
        explain=["job.nightly.main.explanation"], check={"fact": "job.nightly.main.status", "op": "eq", "value": "ok"}
    )
    values = {"job.nightly.main.status": "failed", "job.nightly.main.explanation": "the disk is full"}
    assert "the disk is full" in result_of(one, values).reason
    assert "the disk is full" not in result_of(one, values | {"job.nightly.main.status": "ok"}).reason


def some_rules(verdicts: list[str]) -> tuple[list[Any], dict[str, Any]]:
    """Return a rule for each verdict wanted, and facts that bring them about."""
    made = []
    for number, verdict in enumerate(verdicts):
        name = f"borg.repo.{ {'pass': 'good', 'fail': 'bad', 'error': 'broken'}.get(verdict, 'good') }.opens"
        applies = APPLIES if verdict == "not_applicable" else None
        attested: dict[str, Any] = {}
        if verdict == "unattested":
            wanted = {"topic": "x", "question": "Did somebody look at it lately?", "valid_for": "P1D"}
            attested = {"kind": "hybrid", "attestation": wanted}
        check = {"fact": name, "op": "eq", "value": True}
        made.append(rule(id=f"TST-{number:03d}", check=check, applies_when=applies, **attested))
    broken = fact("borg.repo.broken.opens", None, error="locked")
    values = {
        "borg.repo.good.opens": True,
        "borg.repo.bad.opens": False,
        "borg.repo.broken.opens": broken,
        "mail.when": "never",
    }
    return made, values


@given(st.lists(st.sampled_from(["pass", "fail", "error", "unattested", "not_applicable"]), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
def test_totals_always_add_up(verdicts: list[str]) -> None:
    made, values = some_rules(verdicts)
    report = report_on(made, values)
    totals = report.totals
    counted = (totals.passed, totals.failed, totals.error, totals.unattested, totals.not_applicable)
    assert sum(counted) == totals.rules == len(report.results) == len(verdicts)
    assert [verdicts.count(word) for word in ("pass", "fail", "error", "unattested", "not_applicable")] == list(counted)


@given(st.lists(st.sampled_from(["pass", "fail", "error", "unattested", "not_applicable"]), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
def test_the_exit_code_follows_from_the_verdicts(verdicts: list[str]) -> None:
    made, values = some_rules(verdicts)
    code = report_on(made, values).exit_code
    if "fail" in verdicts or set(verdicts) == {"not_applicable"}:
        assert code == AuditExit.FINDING
    elif {"error", "unattested"} & set(verdicts):
        assert code == AuditExit.UNJUDGED
    else:
        assert code == AuditExit.CLEAN


def test_too_few_applicable_rules_are_a_failure_of_the_audit() -> None:
    made, values = some_rules(["pass", "not_applicable", "not_applicable"])
    report = report_on(made, values, minimum_applicable=0.5)
    assert report.exit_code == AuditExit.FINDING
    assert not report.floor.met
    assert "only 1 of 3 rules applied" in report.conclusion


def test_results_stand_in_order_of_importance() -> None:
    made, values = some_rules(["pass", "not_applicable", "unattested", "error", "fail"])
    order = [result.verdict for result in report_on(made, values).results]
    assert order == [Verdict.FAIL, Verdict.ERROR, Verdict.UNATTESTED, Verdict.PASS, Verdict.NOT_APPLICABLE]


def test_the_same_evidence_gives_the_same_report() -> None:
    made, values = some_rules(["pass", "fail", "error", "unattested"])
    assert report_on(made, values) == report_on(made, values)
    assert report_on(made, values).judged_at == NOW


def test_what_nobody_looked_for_is_neither_there_nor_absent() -> None:
    for check in (
        {"fact": "mail.last_result", "op": "absent"},
        {"fact": "mail.last_result", "op": "exists"},
        {"none": [{"fact": "mail.last_result", "op": "exists"}]},
        {"none": [{"fact": "mail.last_result", "op": "absent"}]},
    ):
        result = result_of(rule(check=check), {})
        assert result.verdict is Verdict.FAIL, check
        assert "was never looked for" in result.reason
        assert result_of(rule(check=check, on_missing="error"), {}).verdict is Verdict.ERROR


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", "(.*.*.*.*.*.*)*b"])
def test_a_pattern_that_would_take_for_ever_is_an_error_of_its_rule_alone(pattern: str) -> None:
    slow = rule(id="TST-001", check={"fact": "host.name", "op": "matches", "value": pattern})
    sound = rule(check={"fact": "host.name", "op": "matches", "value": "a+"})
    report = report_on([slow, sound], {"host.name": "a" * 60})
    verdicts = {result.id: result for result in report.results}
    assert verdicts["TST-001"].verdict is Verdict.ERROR
    assert "processor time" in verdicts["TST-001"].reason
    assert verdicts["TST-999"].verdict is Verdict.PASS


@pytest.mark.parametrize(("whole", "code"), [(True, AuditExit.UNJUDGED), (False, AuditExit.CLEAN)])
def test_an_audit_without_a_shipped_rule_says_so_and_is_not_clean(whole: bool, code: AuditExit) -> None:
    """One own rule would do, otherwise: all of the rules apply, and all of them pass."""
    values = {"borg.repo.main.opens": True}
    report = report_on([rule()], values, shipped=frozenset({"TST-999", "KEY-005"}), whole=whole)
    assert (report.exit_code, report.left_out) == (code, ("KEY-005",))
    assert headline(report).key == "unattested"
    assert "1 of the shipped rules is left out" in report.conclusion
    assert headline(report_on([rule()], values, shipped=frozenset({"TST-999"}))).word == "Clean"


def test_what_failed_below_the_limit_is_not_clean() -> None:
    report = report_on([rule(severity="low")], {"borg.repo.main.opens": False}, fail_on="high")
    assert report.exit_code == AuditExit.CLEAN
    assert headline(report).word == "Minor findings"
