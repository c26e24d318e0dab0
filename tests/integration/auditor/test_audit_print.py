"""Report and mail by the real Chromium: on paper, and in every width."""

import subprocess
from pathlib import Path

from auditor.mail.heads import Head
from auditor.mail.message import build
from auditor.render.html import render_html
from auditor.rules.folder import load_rules
from bkp.config.reports import Mail
from tests.support.audit_world import fact, report_on, rule
from tests.support.chromium import OPTIONS, insist_that_it_fits

ROOT = Path(__file__).resolve().parents[3]
RULES = load_rules(ROOT / "rules").rules
MAIL = Mail(to="admin@example.org", when="problems")
HEADS = (Head("History of runs", "line 93 of history.jsonl", "ab" * 32), Head("This report", "audit/x.json", "cd" * 32))


def pages(folder: Path, html: str) -> int:
    page, printed = folder / "report.html", folder / "report.pdf"
    page.write_text(html, encoding="utf-8")
    command = ["chromium", *OPTIONS, f"--user-data-dir={folder}/profile", f"--print-to-pdf={printed}", page.as_uri()]
    subprocess.run(command, capture_output=True, check=True, timeout=120)
    return printed.read_bytes().count(b"/Type /Page\n")


def test_the_report_on_all_shipped_rules_is_a_few_sheets_of_paper(tmp_path: Path) -> None:
    found = pages(tmp_path, render_html(report_on(RULES, {})))
    assert 1 <= found <= 9, "every rule has a card of its own here: nothing is known of this host"


def test_report_and_mail_fit_every_width_long_words_too(tmp_path: Path) -> None:
    known = {"borg.repo.main.opens": fact("borg.repo.main.opens", None, error="/srv/" + "very_long_name" * 12)}
    short, long = (report_on([*more, rule(severity="critical")], known) for more in ((), RULES))
    part = build(long, HEADS, MAIL).get_body(("html",))
    assert part is not None
    wordy = (render_html(short), part.get_content())
    assert all("very_long_name" * 12 in page for page in wordy)
    insist_that_it_fits(tmp_path, *wordy, render_html(long))
