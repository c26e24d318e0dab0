"""Which runs are mailed, and what the mail says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from bkp.config.reports import Mail
from bkp.liveness import this_process
from bkp.state.fields import Outcome
from bkp.state.records import Message, Run, Step
from runner.notify.decide import recovered, wanted
from runner.notify.message import build, subject

START = datetime(2027, 1, 1, 1, 30, tzinfo=UTC)
WELL = (Outcome.SUCCESS, Outcome.WARNING)
BADLY = (Outcome.FAILURE, Outcome.INTERRUPTED, Outcome.SKIPPED)


def _run(outcome: Outcome, **changes: object) -> Run:
    run = Run(
        run_id="20270101T013000Z-aaaaaaaa",
        job="nightly",
        target="main",
        host="vault.example.com",
        outcome=outcome,
        started_at=START,
        ended_at=START + timedelta(minutes=3),
        process=this_process(),
    )
    return msgspec.structs.replace(run, **changes)


@pytest.mark.parametrize("before", [None, *WELL, *BADLY])
@pytest.mark.parametrize("now", [*WELL, *BADLY])
def test_problems_and_the_first_success_after_them_are_mailed(now: Outcome, before: Outcome | None) -> None:
    run = _run(now, before=_run(before).end if before else None)
    assert wanted(run, "always")
    assert not wanted(run, "never")
    expected = now is not Outcome.SUCCESS or before in BADLY
    assert wanted(run, "problems") is expected
    assert recovered(run) is (now in WELL and before in BADLY)


def test_the_subject_begins_with_the_word_that_matters() -> None:
    assert subject(_run(Outcome.FAILURE)) == "FAILED: nightly of main on vault.example.com"
    assert subject(_run(Outcome.SUCCESS, before=_run(Outcome.FAILURE).end)).startswith("works again: ")


def test_times_are_local_and_everything_survives_the_wire() -> None:
    hostile = "<b>&\"'\udcff\x00 {{ x }} 😀 " + "long " * 400
    run = _run(
        Outcome.FAILURE,
        reason=hostile,
        messages=(Message(level="error", text=hostile, msgid="X<y>"),),
        steps=(Step(name="create", started_at=START, outcome=Outcome.FAILURE, reason=hostile),),
        messages_dropped=3,
    )
    message = build(run, Mail(to="root@example.com"), ZoneInfo("Europe/Berlin"))
    raw = message.as_bytes()
    assert max(map(len, raw.splitlines())) <= 998
    html, text = message.get_body(("html",)), message.get_body(("plain",))
    assert html is not None
    assert text is not None
    for part in (html.get_content(), text.get_content()):
        assert "2027-01-01 02:30:00 CET" in part
        assert "and 3 more" in part
    assert "<b>" not in html.get_content()
    assert "&lt;b&gt;&amp;" in html.get_content()


@pytest.mark.parametrize("host", ["vault.example.com", "vault", "my_host", "-", "with space", "ümlaut"])
def test_a_sender_is_found_for_every_host_name(host: str) -> None:
    message = build(_run(Outcome.SUCCESS, host=host), Mail(to="root@example.com"), ZoneInfo("UTC"))
    assert "@" in message["From"]
    message.as_bytes()
