"""The audit by mail: what stands on the first screen, in words, small enough, harmless, and the same as text."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditor.catalogue import NAMESPACES
from auditor.catalogue.lookup import all_names
from auditor.kept import keep_report
from auditor.mail.heads import Head, heads_of
from auditor.mail.message import LIMIT_BYTES, build, size_as_sent
from auditor.render.first_screen import first_screen
from auditor.render.html import render_html
from auditor.render.words import SUPPORT_NOTE
from auditor.report import Report, Since
from auditor.rules.folder import load_rules
from auditor.rules.model import Rule
from auditor.since import compare
from bkp.config.reports import Mail
from bkp.state.audits import KeptReports, digest_of
from bkp.state.ledger import Ledger
from bkp.state.store import value_of
from tests.support.audit_world import NOW, report_on, rule
from tests.support.mailbox import text_of
from tests.unit.core.support import a_run

ROOT = Path(__file__).resolve().parents[3]
MAIL = Mail(to="admin@example.org", when="problems")
HEADS = (Head("History of runs", "line 93 of history.jsonl", "ab" * 32), Head("This report", "audit/x.json", "cd" * 32))
PROVEN = {
    "config.repositories": ["main"],
    "archive.main.started_at": "2026-01-31T02:00:00Z",
    "restore.main.last_success_at": "2026-01-25T04:00:00Z",
    "restore.main.files": 20,
    "restore.main.matched": 20,
}
GOOD = {**PROVEN, "borg.repo.main.opens": True}


def escrow_rule() -> Rule:
    return rule(id="KEY-999", tags=["escrow"], severity="critical")


def judging() -> list[Rule]:
    """Return rules with the ids of those that judge archive and restore."""
    return [rule(id="RUN-002"), rule(id="TST-001")]


def unattested(number: int, severity: str = "critical") -> Rule:
    question = {"topic": "x", "question": "Did somebody compare the copy just now?", "valid_for": "P1D"}
    return rule(
        id=f"KEY-{number:03d}",
        title=f"Copy number {number} of the key is right",
        failure=None,
        kind="attested",
        check=None,
        severity=severity,
        attestation=question,
    )


def mailed(report: Report) -> EmailMessage:
    return build(report, HEADS, MAIL)


def both(report: Report) -> tuple[str, str]:
    """Return what the text says, and what a reader of the HTML sees; blanks do not matter."""
    message = mailed(report)
    html = re.sub(r"<style>.*?</style>|<title>.*?</title>", "", text_of(message, "html"), flags=re.DOTALL)
    seen = re.sub(r"<[^>]+>", " ", html).replace("&#39;", "'").replace("&amp;", "&").replace("&#34;", '"')
    return " ".join(text_of(message, "plain").split()), " ".join(seen.split())


def judged(report: Report, at: datetime) -> Report:
    """Return the report as if it had been judged then; its evidence stays good."""
    return msgspec.structs.replace(report, judged_at=at)


def since(state: Path, report: Report, lines: int | None = 90) -> Report:
    kept = KeptReports(state)
    found = compare(report, kept.newest(), chain=kept.problem(), history_lines=lines)
    return msgspec.structs.replace(report, since=found)


def keep(state: Path, report: Report) -> Path:
    return keep_report(state, report, value_of(KeptReports(state).newest()))


def test_a_clean_month_says_so_and_asks_for_nothing(tmp_path: Path) -> None:
    rules = [*judging(), rule(), escrow_rule()]
    keep(tmp_path, judged(report_on(rules, GOOD), NOW - timedelta(days=31)))
    report = since(tmp_path, report_on(rules, GOOD))
    assert mailed(report)["Subject"] == "[bkp] audit clean: host, 2026-01-31"
    assert mailed(report)["X-Priority"] is None
    for said in both(report):
        assert "✓ Clean. 4 of 4 rules that apply passed." in said
        assert "Yes: each part of it was proven lately." in said
        assert "main: 2026-01-31 02:00 UTC (10h ago)" in said
        assert "20 of 20 files as recorded" in said
        assert "Compared with the report of 2025-12-31 12:00 UTC: nothing changed." in said
        assert "Nothing: no rule needs anybody." in said
        assert "4 rules: 4 pass." in said, "what none got is not named"
        assert "ab" * 32 in said
        assert "cd" * 32 in said


def test_what_is_new_fixed_and_not_met_still_is_said_with_since_when(tmp_path: Path) -> None:
    def number(one: int, fact: str) -> Rule:
        return rule(id=f"TST-00{one}", check={"fact": fact, "op": "eq", "value": True})

    rules = [number(1, "borg.repo.main.opens"), number(2, "archive.main.confirmed"), number(3, "history.intact")]
    bad: dict[str, Any] = {"borg.repo.main.opens": False, "archive.main.confirmed": True, "history.intact": False}
    good: dict[str, Any] = {"borg.repo.main.opens": False, "archive.main.confirmed": False, "history.intact": True}
    first = NOW - timedelta(days=62)
    keep(tmp_path, judged(report_on(rules, bad), first))
    keep(tmp_path, judged(report_on(rules, bad), NOW - timedelta(days=31)))
    report = since(tmp_path, report_on(rules, good))
    assert report.since == Since(
        at=NOW - timedelta(days=31), new=("TST-002",), fixed=("TST-003",), still={"TST-001": first}
    )
    for said in both(report):
        assert re.search(r"New ?: TST-002 ", said)
        assert re.search(r"Fixed ?: TST-003 The passphrase opens the repository", said)
        assert re.search(r"Not met still ?: TST-001 since 2025-11-30", said)
        assert "TST-001, high, not met since 2025-11-30" in said
        assert "TST-002, high, new" in said
    waived = since(tmp_path, report_on([rules[1], rules[2]], good))
    assert waived.since is not None
    assert waived.since.dropped == ("TST-001",), "a rule that is gone is not a rule that is met"


def test_a_first_report_and_one_after_a_lost_state_say_what_they_cannot_compare(tmp_path: Path) -> None:
    first = since(tmp_path, report_on([rule()], GOOD))
    lost = since(tmp_path, report_on([rule()], GOOD), lines=None)
    for said in both(first):
        assert "This is the first report that is kept, so nothing is compared." in said
        assert "or its audit/ was" in said
        assert "nothing changed" not in said
        assert "no history" not in said
    for said in both(lost):
        assert "There is no history of runs either: this server is new, or its state was lost." in said


def test_a_report_before_that_cannot_be_read_was_changed_or_is_of_the_future_is_said(tmp_path: Path) -> None:
    keep(tmp_path, report_on([rule()], GOOD))
    path = keep(tmp_path, judged(report_on([rule()], GOOD), NOW + timedelta(days=3)))
    future = since(tmp_path, report_on([rule()], GOOD)).since
    assert future is not None
    assert "dated in the future, 2026-02-03" in str(future.note)
    path.write_text("{")
    torn = since(tmp_path, report_on([rule()], GOOD))
    for said in both(torn):
        assert "Nothing can be compared: the report before this one is torn" in said
        assert "nothing changed" not in said
    path.unlink()
    keep(tmp_path, report_on([rule()], GOOD))
    first = KeptReports(tmp_path).files()[0].path
    first.write_bytes(first.read_bytes().replace(b'"host": "host"', b'"host": "hosT"'))
    changed = since(tmp_path, report_on([rule()], GOOD))
    assert changed.since is not None
    assert "The chain of kept reports is broken: 000001-" in str(changed.since.note)


def test_critical_keys_that_nobody_attested_do_not_hide_in_a_number() -> None:
    rules = [*(unattested(number) for number in range(1, 4)), *(unattested(number, "low") for number in range(4, 7))]
    report = report_on([*rules, rule(id="TST-001", severity="medium")], {**PROVEN, "borg.repo.main.opens": False})
    for said in both(report):
        assert "6 rules are attested by nobody (critical: KEY-001, KEY-002, KEY-003)" in said
        assert said.index("Nobody has lately confirmed that copy number 1 of the key is right (KEY-001, critical)") < (
            said.index("The passphrase does not open the repository")
        )
    assert mailed(report)["Subject"].startswith("[bkp] audit findings (1 failed, 6 unattested): host")


def test_can_we_restore_is_answered_by_what_is_lacking_and_what_is_not_known() -> None:
    def answer(values: Mapping[str, Any]) -> str:
        return both(report_on([*judging(), escrow_rule()], {"borg.repo.main.opens": True, **values}))[0]

    assert "Do not count on it. In trouble: last proven restore." in answer(
        {**PROVEN, "restore.main.last_success_at": None}
    )
    assert "Not proven: last good archive, last proven restore." in answer({})
    assert "Not proven: last good archive." in answer({**PROVEN, "archive.main.started_at": "2026-02-20T02:00:00Z"})
    assert "main: not known: dated in the future" in answer(
        {**PROVEN, "archive.main.started_at": "2026-02-20T02:00:00Z"}
    )
    nothing_judges = both(report_on([escrow_rule()], GOOD))[0]
    assert "Not proven: last good archive, last proven restore." in nothing_judges, "an old archive is there as well"
    assert "no rule judges it" in nothing_judges
    no_escrow = both(report_on(judging(), GOOD))[0]
    assert "Not proven: keys outside this server." in no_escrow, "what no rule asks is not proven"
    assert (
        "In trouble: keys outside this server"
        in both(report_on([escrow_rule()], {**PROVEN, "borg.repo.main.opens": False}))[0]
    )


def many(count: int, bad: int, value: str = "plain") -> Report:
    rules = []
    for number in range(count):
        wrong = number < bad
        rules.append(
            rule(
                id=f"TST-{number:03d}",
                title=f"What number {number} is about is in very good order on this server",
                failure=f"What number {number} is about is in disorder on this server",
                remediation={"text": "Look at it closely and mend the cause. " * 6, "commands": ["bkp-run status"] * 2},
                check={"fact": "host.name", "op": "eq", "value": "another" if wrong else value},
            )
        )
    return report_on(rules, {**PROVEN, "host.name": value})


def test_sixty_rules_with_thirty_findings_are_sent_in_full_within_60_kb() -> None:
    message = mailed(many(60, 30, "x" * 190))
    assert size_as_sent(message) <= LIMIT_BYTES <= 60_000
    for said in (text_of(message, "plain"), text_of(message, "html")):
        assert all(f"What number {number} is about is in disorder" in " ".join(said.split()) for number in range(30))
        assert "more, in full in the report on the server" not in said


@pytest.mark.parametrize("value", ["plain", "<&\"'>" * 40, "ä" * 200, "=" * 200, "\U000e0041" * 200])
@pytest.mark.parametrize("count", [60, 400])
def test_more_findings_than_fit_are_named_with_a_count_and_none_is_lost(value: str, count: int) -> None:
    report = many(count, count, value)
    message = mailed(report)
    assert size_as_sent(message) <= LIMIT_BYTES
    for said in both(report):
        full = len(set(re.findall(r"What number (\d+) is about is in disorder on this server TST-0*\1,", said)))
        rest = re.search(r"And (\d+) more ?, in full in the report on the server: (TST-\d+)", said)
        assert rest is not None
        assert full + int(rest[1]) == count, "each finding is shown, or counted"
        assert full >= 6


HOSTILE = "</style><script>alert(1)</script>\x1b[2J\u202eevil\u202c\u200b\U000e0048\U000e0049\U000e0101\u3164\ud800"
HOSTILE += "\r\nBcc: x@y\n\n.\n"


def test_hostile_evidence_is_harmless_in_both_parts_and_the_headers() -> None:
    check = {"fact": "host.name", "op": "eq", "value": "good"}
    report = msgspec.structs.replace(
        report_on([rule(check=check)], {**PROVEN, "config.repositories": [HOSTILE, "main"], "host.name": HOSTILE}),
        host=HOSTILE,
        since=Since(note=HOSTILE),
    )
    message = build(report, (Head("History of runs", HOSTILE), HEADS[1]), MAIL)
    raw = message.as_bytes()
    assert b"\x1b" not in raw
    assert message["To"] == "admin@example.org"
    assert message["Bcc"] is None
    assert "\n" not in message["Subject"]
    for part in (text_of(message, "plain"), text_of(message, "html")):
        assert not re.search("[\x1b\u202a-\u202e\u200b\u3164\U000e0000-\U000e0fff\ud800-\udfff]", part)
        assert r"\U000e0048" in part, "what cannot be seen is shown"
    html = text_of(message, "html")
    assert "<script" not in html
    assert html.count("</style>") == 1
    page = render_html(report)
    assert "<script" not in page
    assert not re.search("[\x1b\u202a-\u202e\u200b\U000e0000-\U000e0fff]", page)


def shipped() -> Report:
    rules = load_rules(ROOT / "rules").rules
    bad: dict[str, Any] = {"file.main.passphrase.role": "passphrase", "file.main.passphrase.mode": "0644"}
    bad |= {f"job.{job}.main.job": job for job in ("nightly", "check", "verify", "drill")}
    bad |= {"pool.tank.configured": True, "pool.tank.present": True, "disk.left.present": False, "mail.when": "never"}
    return report_on(rules, {**PROVEN, **bad, "zfs.source_datasets": ["tank/home"], "dataset.tank/home.present": True})


def test_found_and_wanted_are_said_in_words_and_never_by_the_names_of_facts() -> None:
    names = {re.escape(name).replace(r"\*", r"\S+") for name in all_names()}
    spaces = {re.escape(space.name) for space in NAMESPACES if "." in space.name}
    report = shipped()
    assert any("permissions: found 0644" in result.reason for result in report.results)
    for said in both(report):
        for pattern in names - {re.escape("mail.when")} | spaces:  # a remedy names it: a key of the configuration
            assert not re.search(rf"(?<![\w./-]){pattern}(?![\w/-])", said), pattern


def test_a_failing_rule_is_named_by_what_is_wrong() -> None:
    report = shipped()
    text, html = both(report)
    for result in report.results[:20]:
        if result.verdict == "fail":
            assert result.failure is not None
            assert result.failure in text
            assert result.failure in html
            assert result.title not in text


def test_mail_programs_get_what_they_can_show() -> None:
    html = text_of(mailed(shipped()), "html")
    assert not re.search(r"<(script|img|link|iframe|form|input|svg)\b|https?:|url\(|@import|\bon\w+=", html)
    assert not re.search(r"display:\s*(flex|grid)|position:", html)
    assert html.count("<table") == html.count('role="presentation"') + html.count("<caption")
    assert 'lang="en"' in html
    assert html.count("<h1") == 1
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html


def test_the_heads_are_those_of_the_files_and_what_is_not_known_is_said(tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    missing = heads_of(history, None)
    assert [head.digest for head in missing] == [None, None]
    assert "there is no line in it" in missing[0].text
    assert "could not be kept" in missing[1].text
    for _ in range(3):
        Ledger(history).append(a_run())
    path = keep(tmp_path, report_on([rule()], GOOD))
    runs, report = heads_of(history, path)
    assert (runs.text, report.digest) == ("line 3 of history.jsonl, SHA-256 without its line feed", digest_of(path))
    Ledger(history).append(a_run())
    assert f'"previous":"{runs.digest}"'.encode() in history.read_bytes(), "the next line is chained to it"
    with history.open("ab") as handle:
        handle.write(b"torn")
    assert "line 4 of" in heads_of(history, path)[0].text


def test_the_report_on_disk_has_the_same_first_screen(tmp_path: Path) -> None:
    report = since(tmp_path, shipped())
    seen = " ".join(re.sub(r"<[^>]+>", " ", render_html(report)).split())
    order = ["Can we restore today?", "Since the last report", "What to do first", "All rules", "Needs attention"]
    assert [seen.index(each) for each in order] == sorted(seen.index(each) for each in order)
    assert "This is the first report that is kept" in seen
    long = many(400, 400)
    screen, html = first_screen(long), render_html(long)
    assert "Shortened to fit" in html
    assert screen.first is not None
    whole = (screen.restorable, " ".join(screen.first.remediation.split()), SUPPORT_NOTE)
    assert [text for text in whole if text not in html] == [], "what stands first is not cut where the rest is"
    assert max(len(text) for text in whole) > 200


def test_a_tile_of_nothing_does_not_shout() -> None:
    html = render_html(report_on([rule()], GOOD))
    tiles = dict(re.findall(r'<td class="tile (\w+)"[^>]*><b[^>]*>\d+</b><br>\S+ (\w[\w/]*)', html)[::-1])
    assert re.findall(r'class="tile (\w+)"', html) == ["quiet", "quiet", "quiet", "pass", "quiet"], tiles
