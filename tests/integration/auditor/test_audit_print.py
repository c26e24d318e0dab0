"""The report on paper, by the real Chromium."""

import subprocess
from pathlib import Path

from auditor.render.html import render_html
from auditor.rules.folder import load_rules
from tests.support.audit_world import report_on

ROOT = Path(__file__).resolve().parents[3]


def pages(folder: Path, html: str) -> int:
    page, printed = folder / "report.html", folder / "report.pdf"
    page.write_text(html, encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    command = ["chromium", *options, f"--user-data-dir={folder}/profile", f"--print-to-pdf={printed}", page.as_uri()]
    subprocess.run(command, capture_output=True, check=True, timeout=120)
    return printed.read_bytes().count(b"/Type /Page\n")


def test_the_report_on_all_shipped_rules_is_a_few_sheets_of_paper(tmp_path: Path) -> None:
    found = pages(tmp_path, render_html(report_on(load_rules(ROOT / "rules").rules, {})))
    assert 1 <= found <= 9, "every rule has a card of its own here: nothing is known of this host"
