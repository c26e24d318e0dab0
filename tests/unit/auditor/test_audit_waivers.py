"""Waivers stand beside verdicts: approved, dated, seen when unused, and over when their day is over."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.engine.waivers import Exemption
from auditor.exit_codes import AuditExit
from auditor.report import Report
from auditor.waiver_file import load_waivers, parse_waivers
from bkp.errors import InputFileError
from bkp.severity import SEVERITIES
from bkp.verdict import Verdict
from tests.support.audit_world import NOW, fact, report_on, rule

BERLIN = ZoneInfo("Europe/Berlin")
OPENS = "borg.repo.main.opens"
CHECK = {"fact": OPENS, "op": "eq", "value": True}
EVIDENCE: dict[str, Any] = {
    "pass": True,
    "fail": False,
    "error": fact(OPENS, None, error="locked"),
}


def exemption(expires: date = date(2026, 3, 1), subject: str | None = None) -> Exemption:
    return Exemption("TST-999", "the disk is on its way", "A. Operator", expires, subject)


def judged(verdict: str, waiver: str, severity: str, fail_on: str) -> Report:
    exemptions = {
        "none": [],
        "active": [exemption()],
        "expired": [exemption(date(2026, 1, 30))],
    }[waiver]
    one = rule(check=CHECK, severity=severity)
    return report_on([one], {OPENS: EVIDENCE[verdict]}, exemptions=exemptions, fail_on=fail_on)


@pytest.mark.parametrize("fail_on", SEVERITIES)
@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("waiver", ["none", "active", "expired"])
@pytest.mark.parametrize("verdict", ["pass", "fail", "error"])
def test_exit_code_of_verdict_waiver_and_severity(verdict: str, waiver: str, severity: str, fail_on: str) -> None:
    report = judged(verdict, waiver, severity, fail_on)
    if verdict == "pass" or waiver == "active":
        wanted = AuditExit.CLEAN
    elif verdict == "error":
        wanted = AuditExit.UNJUDGED
    elif SEVERITIES.index(severity) <= SEVERITIES.index(fail_on):
        wanted = AuditExit.FINDING
    else:
        wanted = AuditExit.CLEAN
    assert report.exit_code == wanted
    assert report.results[0].verdict == verdict, "a waiver never changes a verdict"


@pytest.mark.parametrize(
    ("verdict", "waiver", "state"),
    [
        ("fail", "active", "active"),
        ("error", "active", "active"),
        ("pass", "active", "unused"),
        ("fail", "expired", "expired"),
        ("pass", "expired", "expired"),
    ],
)
def test_the_report_shows_what_a_waiver_is_now(verdict: str, waiver: str, state: str) -> None:
    report = judged(verdict, waiver, "high", "low")
    assert [item.state for item in report.waivers] == [state]
    assert report.totals.waived == (state == "active")


@pytest.mark.parametrize(
    ("now", "zone", "code"),
    [
        ("2026-01-31T22:59:59+00:00", BERLIN, AuditExit.CLEAN),
        ("2026-01-31T23:00:00+00:00", BERLIN, AuditExit.FINDING),
        ("2026-01-31T23:00:00+00:00", UTC, AuditExit.CLEAN),
        ("2026-02-01T00:00:00+00:00", UTC, AuditExit.FINDING),
        ("2026-02-01T07:59:59+00:00", ZoneInfo("America/Los_Angeles"), AuditExit.CLEAN),
        ("2026-02-01T08:00:00+00:00", ZoneInfo("America/Los_Angeles"), AuditExit.FINDING),
    ],
)
def test_a_waiver_counts_through_the_end_of_its_day_where_the_host_is(now: str, zone: Any, code: AuditExit) -> None:
    moment = datetime.fromisoformat(now)
    report = report_on(
        [rule(check=CHECK)], {OPENS: False}, exemptions=[exemption(date(2026, 1, 31))], now=moment, zone=zone
    )
    assert report.exit_code == code


def test_a_waiver_of_one_subject_leaves_the_others_alone() -> None:
    each = rule(for_each={"fact": "borg.repo.*"}, check={"fact": "borg.repo.*.opens", "op": "eq", "value": True})
    only_a = [exemption(subject="a")]
    both_bad = report_on([each], {"borg.repo.a.opens": False, "borg.repo.b.opens": False}, exemptions=only_a)
    assert both_bad.exit_code == AuditExit.FINDING
    assert not both_bad.results[0].waived
    one_bad = report_on([each], {"borg.repo.a.opens": False, "borg.repo.b.opens": True}, exemptions=only_a)
    assert one_bad.exit_code == AuditExit.CLEAN
    assert one_bad.results[0].verdict is Verdict.FAIL


def test_an_expired_waiver_is_a_finding_of_its_own() -> None:
    own = rule(id="AUD-001", check={"fact": "audit.expired_waivers", "op": "count", "value": 0})
    report = report_on([own, rule(check=CHECK)], {OPENS: True}, exemptions=[exemption(date(2026, 1, 1))])
    assert report.results[0].id == "AUD-001"
    assert report.results[0].verdict is Verdict.FAIL
    assert "TST-999" in report.results[0].reason


REASON = "The new disk is on its way and will be here in March."
GOOD = """\
schema: 1
waivers:
  - rule: TST-999
    justification: The new disk is on its way and will be here in March.
    approved_by: A. Operator
    expires: 2026-03-01
"""


def read(text: str | bytes, zone: Any = UTC) -> list[Exemption]:
    return parse_waivers(text.encode() if isinstance(text, str) else text, "waivers.yml", [rule()], NOW, zone)


def test_a_sound_waiver_file_is_read() -> None:
    assert read(GOOD)[0].expires == date(2026, 3, 1)


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("TST-999", "TST-998", "waivers.yml:3:11: unknown rule 'TST-998'"),
        ("TST-999", "TST-998", "did you mean 'TST-999'"),
        ("2026-03-01", "01.03.2026", "wanted a date such as"),
        ("2026-03-01", "2026-02-30", "wanted a date such as"),
        ("2026-03-01", "20260301", "wanted text"),
        ("2026-03-01", "2026-03-01T00:00", "wanted a date such as"),
        ("2026-03-01", "2026-07-31", "more than 180 days ahead"),
        ("2026-03-01", "2026-07-31", "2026-07-30 at the latest"),
        ("    approved_by: A. Operator\n", "", "approved_by is missing"),
        ("The new disk is on its way and will be here in March.", "later", "justification"),
        (REASON, '"' + "\\u2800 - . \\u3164 " * 3 + '"', "3 words that say why"),
        (
            "The new disk is on its way and will be here in March.",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "3 words that say why",
        ),
        ("A. Operator", '"-"', "approved_by: wanted a name"),
        ("A. Operator", '"\\u3164"', "approved_by: wanted a name"),
        ("approved_by", "approved", "unknown key waivers[0].approved"),
        ("schema: 1", "schema: 2", "schema"),
    ],
)
def test_an_unsound_waiver_ends_the_run(old: str, new: str, wanted: str) -> None:
    with pytest.raises(InputFileError) as caught:
        read(GOOD.replace(old, new))
    assert wanted in str(caught.value)


def test_a_rule_that_judges_the_audit_itself_cannot_be_waived() -> None:
    """Under whatever id: an expired waiver would be waived by one that is not."""
    own = rule(check={"all": [{"fact": "audit.expired_waivers", "op": "count", "value": 0}]})
    with pytest.raises(InputFileError, match=r"waivers.yml:3:11: TST-999 judges the audit itself"):
        parse_waivers(GOOD.encode(), "waivers.yml", [own], NOW, UTC)


def test_the_same_rule_twice_is_refused() -> None:
    twice = GOOD + GOOD.split("waivers:\n")[1]
    with pytest.raises(InputFileError, match="TST-999 is waived twice"):
        read(twice)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@settings(max_examples=60, deadline=None)
def test_no_bytes_break_the_reader(content: bytes) -> None:
    for text in (content, GOOD.encode() + content, GOOD.encode().replace(b"2026-03-01", content)):
        try:
            read(text)
        except InputFileError as exc:
            assert str(exc).startswith("waivers.yml")  # noqa: PT017  # both outcomes are right


def test_a_configured_waiver_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="no such waiver file"):
        load_waivers(tmp_path / "waivers.yml", [rule()], NOW, UTC)
