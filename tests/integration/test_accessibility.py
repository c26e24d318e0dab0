"""Pages and mails can be read by everybody, by day and by night: axe in the real Chromium finds nothing of A or AA."""

from __future__ import annotations

from datetime import UTC, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from click.testing import CliRunner

from auditor.mail.heads import Head
from auditor.mail.message import build as build_audit_mail
from auditor.render.html import render_html
from auditor.report import Since
from auditor.rules.folder import load_rules
from bkp.concerns import concerns_of
from bkp.config import load_config
from bkp.config.reports import Mail
from bkp.state.fields import Outcome
from bkp.survey import survey
from exporter.page import render_page
from runner.cli import cli
from runner.notify.message import build as build_run_mail
from runner.watch.decide import decide
from runner.watch.message import build as build_watch_mail
from tests.support.audit_world import NOW, report_on, rule
from tests.support.axe import complaints
from tests.support.chromium import insist_that_it_fits
from tests.support.exporter_world import World, every_status, healthy
from tests.support.fake_msmtp import FakeMsmtp
from tests.support.mailbox import text_of
from tests.support.observed_world import observed_badly
from tests.support.records import START, a_message, a_run, steps

if TYPE_CHECKING:
    from email.message import EmailMessage

    from auditor.report import Report

ROOT = Path(__file__).resolve().parents[2]
MAIL = Mail(to="root@example.com")
HEADS = (Head("History of runs", "line 93 of history.jsonl", "ab" * 32), Head("This report", "audit/x.json", "cd" * 32))


def html_of(message: EmailMessage) -> str:
    return text_of(message, "html")


def a_report() -> Report:
    """Return one with every verdict, and with something new, fixed and not met still."""
    question = {"topic": "x", "question": "Did somebody compare the copy just now?", "valid_for": "P1D"}
    asked = [
        rule(id=f"KEY-{number}", kind="attested", check=None, failure=None, attestation=question)
        for number in (901, 902)
    ]
    met = rule(id="TST-001", check={"fact": "host.name", "op": "eq", "value": "vault"})
    none = rule(id="TST-002", applies_when={"reason": "it has no pool", "fact": "host.name", "op": "eq", "value": "x"})
    bad = rule(id="TST-003", check={"fact": "host.name", "op": "eq", "value": "x"})
    report = report_on([*load_rules(ROOT / "rules").rules, *asked, met, none, bad], {"host.name": "vault"})
    since = Since(at=NOW - timedelta(days=31), new=("TST-003",), fixed=("TST-001",), still={"KEY-901": NOW})
    return msgspec.structs.replace(report, since=since)


def a_clean_report() -> Report:
    return report_on([rule()], {"borg.repo.main.opens": True})


def a_watch_mail(world: World) -> EmailMessage:
    """Return what is told of a server in much trouble, some of which was told before and some of which is over."""
    config = load_config(world.config_path)
    seen = concerns_of(config, survey(config, world.store, lambda: world.now, UTC, lambda _process: False))
    before = decide(seen[::2], (), config.watch, world.now - timedelta(days=9), UTC)
    gone = decide(seen[2:], before.told, config.watch, world.now - timedelta(hours=1), UTC)
    return build_watch_mail(decide(seen[2:], gone.untold, config.watch, world.now, UTC), MAIL, "vault", world.now, UTC)


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("documents")
    bad, well = World(folder / "bad", ("main", "photos", "mirror")), World(folder / "well")
    every_status(bad)
    observed_badly(bad)
    healthy(well)
    made = {"page of trouble": render_page(bad.model()), "page of a server that is well": render_page(well.model())}
    for name, report in (("report", a_report()), ("clean report", a_clean_report())):
        made[name] = render_html(report)
        made[name.replace("report", "audit mail")] = html_of(build_audit_mail(report, HEADS, MAIL))
    made["watch mail"] = html_of(a_watch_mail(bad))
    failed = a_run(
        outcome=Outcome.FAILURE,
        result=None,
        reason="the passphrase is wrong",
        remedy="compare it with the escrowed one",
        steps=steps(START, "snapshot", "create", failed="create", exit_code=2),
        messages=(a_message("/srv/home/x: file changed while we backed it up"), a_message("no", "error")),
    )
    made["mail of a run that failed"] = html_of(build_run_mail(failed, MAIL, UTC, None))
    made["mail of a run that went well"] = html_of(build_run_mail(a_run(), MAIL, UTC, START - timedelta(days=2)))
    msmtp = FakeMsmtp(folder)
    well.mail = f"{{to: root@example.com, msmtp: {msmtp.path}}}"
    well.config_path.write_text(well.config_text(), encoding="utf-8")
    for words in (["unit-failed", "borg-backup.service", "--result", "exit-code", "--status", "203"], ["test"]):
        CliRunner().invoke(cli, ["-c", str(well.config_path), "mail", *words], standalone_mode=False)
    made["mail of a unit that failed"], made["test mail"] = map(html_of, msmtp.mails())
    return made


def test_axe_finds_nothing_of_level_a_or_aa_by_day_and_by_night(tmp_path: Path, documents: dict[str, str]) -> None:
    nothing: dict[str, list[str]] = {name: [] for name in documents}
    assert complaints(tmp_path, documents, dark=False) == nothing
    unreadable = "p {color: #111} @media (prefers-color-scheme: dark) {p {color: #eee}}"
    page = f'<html lang="en"><head><title>x</title><style>{unreadable}</style></head><body><main><h1>A page</h1>'
    page += '<p>a word</p><a href="x">a link</a><ul><li>one</li></ul></main></body></html>'
    night = complaints(tmp_path, documents | {"unreadable": page}, dark=True)
    assert night.pop("unreadable") == ["violations: color-contrast: <p>a word</p>"], "axe does look"
    assert night == nothing


def test_mails_fit_a_phone_and_a_wide_window(tmp_path: Path, documents: dict[str, str]) -> None:
    mails = [page for name, page in documents.items() if "mail" in name]
    assert len(mails) == 7
    insist_that_it_fits(tmp_path, *mails, height=100)
