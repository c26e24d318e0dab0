"""mail test, confirm and send, as they are typed; and what the report of a run that works again says of before."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from click.testing import CliRunner

from bkp.clock import utc_now
from bkp.state.fields import Outcome
from bkp.state.ledger import Ledger
from runner.cli import cli
from runner.notify.mail import mail_run
from runner.units.failed import advice
from tests.support.fake_msmtp import FakeMsmtp
from tests.support.mailbox import text_of
from tests.support.records import START, a_run

if TYPE_CHECKING:
    from pathlib import Path

    from bkp.state.records import MailNote


class Site:
    """A server with a mail program that takes everything."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.state.mkdir()
        self.msmtp = FakeMsmtp(folder)
        self.path = folder / "config.yml"
        self.write("root@example.com")

    def write(self, to: str) -> None:
        self.path.write_text(
            "schema: 1\nhost: vault\nrepositories: {main: {path: /r, sources: [data]}}\n"
            f"sources: {{data: {{path: /data}}}}\npaths: {{state: {self.state}, lock: {self.state}/lock}}\n"
            f"mail: {{to: {to}, msmtp: {self.msmtp.path}, timeout: 5s}}\n"
        )

    def call(self, *words: str) -> tuple[int, str]:
        done = CliRunner().invoke(cli, ["--config", str(self.path), *words], standalone_mode=False)
        return (done.return_value if done.exception is None else 2), done.output + str(done.exception or "")

    def notes(self) -> list[MailNote]:
        found: list[MailNote] = []
        assert Ledger(self.state / "history.jsonl").walk(lambda _run: None, found.append).intact
        return found

    def code(self) -> str:
        match = re.search(r"Your code: (\w+)", text_of(self.msmtp.mails()[-1], "plain"))
        assert match is not None
        return match[1]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_the_code_of_a_test_mail_confirms_that_it_came(site: Site) -> None:
    assert site.call("mail", "test")[0] == 0
    code = site.code()
    assert code in text_of(site.msmtp.mails()[-1], "html")
    assert code not in (site.state / "history.jsonl").read_text(), "who reads the state has not got the mail"
    assert site.call("mail", "confirm", code.lower())[0] == 0
    assert [(each.about, each.result) for each in site.notes()] == [("test", "sent"), ("test", "confirmed")]


def test_no_other_code_confirms_anything(site: Site) -> None:
    site.call("mail", "test")
    code, said = site.call("mail", "confirm", "AAAAAAAA")
    assert code == 2
    assert "no test mail with this code was sent" in said
    good = site.code()
    site.write("new@example.com")
    code, said = site.call("mail", "confirm", good)
    assert code == 2
    assert "that mail went to root@example.com" in said
    assert [each.result for each in site.notes()] == ["sent"]


@pytest.mark.parametrize("days", [-1, 8])
def test_a_code_of_long_ago_or_of_the_future_confirms_nothing(site: Site, days: int) -> None:
    site.call("mail", "test")
    (note,) = site.notes()
    (site.state / "history.jsonl").unlink()
    ledger = Ledger(site.state / "history.jsonl")
    ledger.append_mail(msgspec.structs.replace(note, at=utc_now() - timedelta(days=days)))
    code, said = site.call("mail", "confirm", site.code())
    assert code == 2
    assert "not of the last 7 days" in said


def test_a_test_mail_that_does_not_leave_is_said_and_sent_later(site: Site) -> None:
    site.msmtp.set("down")
    code, said = site.call("mail", "test")
    assert code == 1
    assert "cannot connect" in said
    assert "it is kept" in said
    assert site.call("mail", "send")[0] == 1
    site.msmtp.set("take")
    assert site.call("mail", "send") == (0, "1 sent, 0 wait\n")
    assert site.call("mail", "confirm", site.code())[0] == 0, "its code is known from when it was kept"


def test_a_dry_run_sends_nothing(site: Site) -> None:
    assert site.call("mail", "test", "--dry-run")[0] == 0
    assert site.msmtp.mails() == []


def test_the_report_of_a_run_that_works_again_says_since_when_it_did_not(site: Site) -> None:
    from bkp.config import load_config

    config = load_config(site.path)
    ledger = Ledger(site.state / "history.jsonl")
    failed = a_run("check", START + timedelta(days=1), Outcome.FAILURE)
    ledger.append(a_run("check", START))
    ledger.append(failed)
    again = a_run("check", START + timedelta(days=2), before=failed.end)
    ledger.append(again)
    posted = mail_run(again, config)
    assert posted is not None
    (mail,) = site.msmtp.mails()
    for part in ("plain", "html"):
        assert "It had last worked at" in text_of(mail, part)
        assert "1d 23h before" in text_of(mail, part)


@pytest.mark.parametrize(
    ("result", "status", "said"),
    [
        ("exit-code", "2", "the configuration is not valid"),
        ("exit-code", "226", "a folder is missing"),
        ("timeout", "TERM", "took longer than its time limit"),
        ("exit-code", "99", "exit-code 99"),
        ("", "", "nobody knows how"),
    ],
)
def test_a_unit_that_failed_is_explained(result: str, status: str, said: str) -> None:
    why, remedy = advice(result, status)
    assert said in why
    assert remedy
