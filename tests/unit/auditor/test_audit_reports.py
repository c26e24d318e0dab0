"""The three views of one report: golden files from saved facts, and what must hold of every page.

After an intended change run this file with BKP_UPDATE_GOLDEN=1 in the environment, and read the diff.
"""

import json
import os
import re
import subprocess
from datetime import date
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from auditor.engine.waivers import Exemption
from auditor.render.html import render_html
from auditor.render.json import render_json
from auditor.render.palette import DARK, LIGHT, Pair
from auditor.render.text import render_text
from auditor.report import Report
from auditor.rules.folder import load_rules
from bkp import __version__
from bkp.json_schema import json_schema
from tests.support.audit_world import report_on, rule
from tests.support.colours import contrast
from tests.support.loaded import loaded

GOLDEN = Path(__file__).parent / "golden"
ROOT = Path(__file__).resolve().parents[3]
AT = "2026-01-31T12:00:00Z"


def audited(folder: Path) -> dict[str, bytes]:
    """Run the real command on the saved facts and return its three outputs."""
    given = ["--facts", GOLDEN / "facts.json", "--rules", GOLDEN / "rules", "--waivers", GOLDEN / "waivers.yml"]
    wanted = ["--at", AT, "--html", folder / "report.html", "--json", folder / "report.json"]
    argv = [str(word) for word in (loaded("bkp-audit"), *given, *wanted)]
    done = subprocess.run(argv, capture_output=True, check=False)
    assert done.stderr == b""
    assert done.returncode == 1
    outputs = {name: (folder / name).read_bytes() for name in ("report.html", "report.json")}
    outputs["report.txt"] = done.stdout
    return {name: content.replace(__version__.encode(), b"VERSION") for name, content in outputs.items()}


@pytest.mark.parametrize("name", ["report.txt", "report.json", "report.html"])
def test_the_report_is_the_golden_one(name: str, tmp_path: Path) -> None:
    found = audited(tmp_path)[name]
    golden = GOLDEN / name
    if os.environ.get("BKP_UPDATE_GOLDEN"):
        golden.write_bytes(found)
    assert found == golden.read_bytes()


def golden_report() -> Report:
    return msgspec.json.decode((GOLDEN / "report.json").read_bytes(), type=Report)


def test_the_report_says_what_it_should_of_each_rule() -> None:
    results = {result.id: result for result in golden_report().results}
    assert {name: str(result.verdict) for name, result in results.items()} == {
        "GLD-001": "fail",
        "GLD-002": "pass",
        "GLD-003": "error",
        "GLD-004": "unattested",
        "GLD-005": "not_applicable",
        "GLD-006": "pass",
        "GLD-007": "fail",
    }
    assert [name for name, result in results.items() if result.waived] == ["GLD-007"]
    assert {waiver.rule: waiver.state for waiver in golden_report().waivers} == {
        "GLD-003": "expired",
        "GLD-006": "unused",
        "GLD-007": "active",
    }


def test_the_json_report_is_what_its_schema_says() -> None:
    jsonschema.validate(json.loads((GOLDEN / "report.json").read_bytes()), json_schema("bkp-audit report", Report))


def test_the_json_report_reads_back_as_it_was() -> None:
    assert msgspec.json.decode(render_json(golden_report()), type=Report) == golden_report()


@pytest.mark.parametrize("name", ["report.txt", "report.json", "report.html"])
def test_no_view_holds_a_path_a_whole_fingerprint_or_a_control_character(name: str) -> None:
    content = (GOLDEN / name).read_text(encoding="utf-8")
    assert "/root" not in content
    assert "ab" * 32 not in content
    assert "ef" * 32 not in content
    assert "\x1b" not in content
    assert "abababababab" in content


def test_the_text_carries_every_failure_on_its_own() -> None:
    text = (GOLDEN / "report.txt").read_text(encoding="utf-8")
    for words in ("GLD-001", "the repository is damaged", "remedy:", "GLD-003", "locked by another borg", "GLD-004"):
        assert words in " ".join(text.split())
    assert "7 rules: 2 fail, 1 error, 1 unattested, 2 pass, 1 not applicable; 1 of them waived" in text
    assert all(len(line) <= 100 for line in text.splitlines())


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def parsed(html: str) -> Page:
    page = Page()
    page.feed(html)
    return page


def test_the_page_stands_alone() -> None:
    html = (GOLDEN / "report.html").read_text(encoding="utf-8")
    page = parsed(html)
    assert not {"script", "img", "link", "iframe", "object", "form", "input", "base"} & {tag for tag, _ in page.tags}
    assert not re.search(r"https?:|url\(|@import|\bon\w+=", html)
    assert not [name for _, attributes in page.tags for name in attributes if name in {"src", "href", "srcset"}]


def test_the_page_can_be_read_by_everyone() -> None:
    page = parsed((GOLDEN / "report.html").read_text(encoding="utf-8"))
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("h1")) == 1
    headings = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(headings))
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(attributes.get("scope") in {"row", "col"} for attributes in page.all("th"))
    text = " ".join(page.text)
    for word in ("✗ FAIL", "! ERROR", "? UNATTESTED", "✓ PASS", "– N/A"):
        assert word in text


def test_every_status_is_a_word_and_a_sign_beside_its_colour() -> None:
    html = (GOLDEN / "report.html").read_text(encoding="utf-8")
    badges = re.findall(r'<span class="b (\w+)"[^>]*>([^<]+)</span>', html)
    assert badges
    assert all(re.fullmatch(r"[✗!?✓–] [A-Z/ ]+", words) for _, words in badges)


@pytest.mark.parametrize(
    ("name", "pair"),
    [(f"{theme} {name}", pair) for theme, pairs in (("light", LIGHT), ("dark", DARK)) for name, pair in pairs.items()],
)
def test_text_stands_out_from_its_ground(name: str, pair: Pair) -> None:
    assert contrast(*pair) >= 4.5, name


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_muted_and_status_colours_stand_out_on_cards_too(theme: dict[str, Pair]) -> None:
    for key in ("muted", "fail", "error", "unattested"):
        assert contrast(theme[key].text, theme["card"].ground) >= 3.0
    assert contrast(theme["muted"].text, theme["page"].ground) >= 4.5


def shipped_report(values: dict[str, Any], count: int) -> Report:
    rules = load_rules(ROOT / "rules").rules
    made = [rules[number % len(rules)] for number in range(count)]
    return report_on(made, values)


def test_a_typical_page_is_small_and_the_worst_is_never_clipped_by_a_mail_program() -> None:
    assert len((GOLDEN / "report.html").read_bytes()) < 60 * 1024
    nothing_known = shipped_report({}, 53)
    assert len(render_html(nothing_known).encode()) < 90 * 1024
    flood: dict[str, Any] = {}
    for number in range(300):
        flood |= {f"job.{job}.r{number}.job": job for job in ("nightly", "check", "verify", "drill")}
        flood |= {f"borg.repo.r{number}.opens": False, f"retention.r{number}.keep_daily": 0}
        flood |= {f"archive.r{number}.missing_sources": [f"source-{item}" + "x" * 300 for item in range(40)]}
    page = render_html(shipped_report(flood, 53))
    assert len(page.encode()) < 90 * 1024
    assert "Shortened to fit into a mail" in page
    assert len(render_html(shipped_report(flood, 1000)).encode()) < 90 * 1024


def test_what_counts_comes_first_in_the_page() -> None:
    html = (GOLDEN / "report.html").read_text(encoding="utf-8")
    order = [html.index(name) for name in ("GLD-001", "GLD-004", "GLD-003", "GLD-007", "GLD-002")]
    assert order == sorted(order)


def test_the_page_speaks_of_support_and_never_claims_compliance() -> None:
    text = " ".join(parsed((GOLDEN / "report.html").read_text(encoding="utf-8")).text).lower()
    assert "evidence supporting" in text
    assert "does not state compliance" in text
    assert not re.search(r"compliant with|complies with|certified", text)
    assert "listed, and no rule supports it: 11.5" in text


def test_a_narrow_terminal_gets_narrow_text() -> None:
    text = render_text(golden_report(), width=50)
    assert max(len(line) for line in text.splitlines() if line.startswith("    ")) <= 50


def test_verbose_text_shows_the_evidence_of_what_passes() -> None:
    assert "evidence: file.main.passphrase.mode: main.passphrase: permissions: found 0600" in render_text(
        golden_report(), verbose=True
    )


def unattested(number: int, remedy: str, **changes: Any) -> Any:
    wanted = {"topic": "x", "question": f"Did somebody look at number {number} lately?", "valid_for": "P1D"}
    given = {"id": f"TST-{number:03d}", "kind": "attested", "check": None, "attestation": wanted}
    return rule(**given, remediation={"text": remedy}, **changes)


def test_rules_that_one_remedy_settles_share_a_card() -> None:
    remedy = "Look at all of them and attest each one."
    rules = [unattested(number, remedy) for number in range(4)]
    rules.append(unattested(4, "Look at this one in another way."))
    rules.append(rule(id="TST-005", remediation={"text": remedy}))
    html = render_html(report_on(rules, {}))
    assert "One remedy for 4 rules: TST-000, TST-001, TST-002, TST-003" in re.sub("<[^>]+>", "", html)
    assert html.count(remedy) == 3, "as the first thing to do, for those that are unattested, for the one that fails"
    text = " ".join(parsed(html).text)
    for number in range(5):
        assert f"Did somebody look at number {number} lately?" in text
    assert len(parsed(html).all("h3")) == 3


def test_a_tile_says_how_many_of_its_rules_are_waived() -> None:
    rules = [rule(id=f"TST-{number:03d}", severity="high") for number in range(3)]
    waived = [Exemption(name, "the disk is on its way", "A", date(2026, 3, 1)) for name in ("TST-000", "TST-001")]

    def tile(exemptions: list[Exemption]) -> str:
        html = render_html(report_on(rules, {"borg.repo.main.opens": False}, exemptions=exemptions))
        return " ".join(
            re.sub("<[^>]+>", " ", html.split("rules by verdict")[1].split("</caption>")[1].split("</td>")[0]).split()
        )

    assert tile([]) == "3 ✗ FAIL"
    assert tile(waived) == "3 ✗ FAIL 2 waived"
    assert tile([*waived, Exemption("TST-002", "the disk is on its way", "A", date(2026, 3, 1))]) == "3 ✗ FAIL waived"


def test_numbers_and_their_units_agree() -> None:
    one = rule(check={"fact": "restore.main.files", "op": "ge", "value": 1})
    assert report_on([one], {"restore.main.files": 1}).results[0].reason == (
        "main: files of the sample: found 1 file, wanted at least 1 file"
    )
    assert "found 0 files" in report_on([one], {"restore.main.files": 0}).results[0].reason


def test_no_report_of_the_shipped_rules_speaks_of_one_of_several() -> None:
    for values in ({}, {"config.escrow_key_locations": ["safe"], "zfs.source_datasets": [], "history.lines": 1}):
        text = render_text(shipped_report(values, 39), verbose=True)
        assert not re.search(r"\b1 (items|files|lines|records|archives|folders|errors|waivers|rules)\b", text)


def test_a_clean_report_says_clean() -> None:
    report = report_on([rule()], {"borg.repo.main.opens": True})
    assert "CLEAN: 1 of 1 rule that applies passed" in render_text(report)
    assert "✓ Clean" in render_html(report)
