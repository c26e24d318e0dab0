"""Reports by the real msmtp, taken by a mail server on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bkp.state.fields import Outcome
from tests.support.mailbox import Mailbox, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.runner_world import World


@pytest.fixture
def mailbox(world: World) -> Iterator[Mailbox]:
    """A mail server; the site is configured to mail problems through it."""
    box = Mailbox()
    box.start()
    box.configure(world.root / "msmtprc")
    world.config["mail"] = {
        "to": "root@example.com",
        "sender": "bkp@backup.example.com",
        "when": "problems",
        "config": str(world.root / "msmtprc"),
        "timeout": "60s",
    }
    world.write_config()
    yield box
    box.stop()


def test_problems_are_mailed_and_so_is_the_first_success_after_one(world: World, mailbox: Mailbox) -> None:
    world.succeed("check")
    assert mailbox.raw == []
    assert world.latest("check").mail is None

    world.write_passphrase("wrong")
    assert world.run("check").returncode == 3
    (failed,) = mailbox.messages()
    assert failed["Subject"] == "[bkp] FAILED: check of main on backup.example.com"
    assert mailbox.recipients == [["root@example.com"]]
    assert "bkp@backup.example.com" in failed["From"]
    assert failed["Auto-Submitted"] == "auto-generated"
    assert failed["X-Priority"] == "2"
    assert failed.get_content_type() == "multipart/alternative"
    for kind in ("plain", "html"):
        text = text_of(failed, kind)
        assert "the passphrase is wrong" in text
        assert "compare repositories.….passphrase_file with the escrowed passphrase" in text
        assert world.latest("check").run_id in text
        assert str(world.log) in text
    assert world.latest("check").mail == "sent"

    world.write_passphrase(_passphrase())
    world.succeed("check")
    assert [message["Subject"] for message in mailbox.messages()][1:] == [
        "[bkp] works again: check of main on backup.example.com"
    ]
    world.succeed("check")
    assert len(mailbox.raw) == 2


def test_warnings_are_problems_too(world: World, mailbox: Mailbox) -> None:
    world.passphrase_file.chmod(0o640)
    assert world.run("check").returncode == 1
    (message,) = mailbox.messages()
    assert message["Subject"] == "[bkp] warning: check of main on backup.example.com"
    assert "has mode 0640" in text_of(message, "plain")


def test_when_always_every_run_is_mailed_and_when_never_none(world: World, mailbox: Mailbox) -> None:
    world.config["mail"]["when"] = "always"
    world.write_config()
    world.succeed("nightly")
    (message,) = mailbox.messages()
    assert message["Subject"] == "[bkp] ok: nightly of main on backup.example.com"
    archive = world.latest().archive
    assert archive is not None
    for kind in ("plain", "html"):
        text = text_of(message, kind)
        assert archive.name in text
        assert all(step.name in text for step in world.latest().steps)
    assert world.latest().mail == "sent"
    assert world.last_success() == world.latest()

    world.config["mail"]["when"] = "never"
    world.write_config()
    world.write_passphrase("wrong")
    assert world.run("nightly").returncode == 3
    assert len(mailbox.raw) == 1


@pytest.mark.parametrize("trouble", ["down", "refused", "not configured", "no msmtp"])
def test_a_mail_that_cannot_be_sent_is_said_and_recorded(world: World, mailbox: Mailbox, trouble: str) -> None:
    world.config["mail"]["when"] = "always"
    if trouble == "down":
        mailbox.stop()
        said = f"cannot connect to 127.0.0.1, port {mailbox.port}"
    elif trouble == "refused":
        mailbox.refuse = "554 we do not like you"
        said = "we do not like you"
    elif trouble == "not configured":
        (world.root / "msmtprc").write_text("nonsense\n")
        said = "its configuration is not valid"
    else:
        world.config["mail"]["msmtp"] = str(world.root / "no-msmtp")
        said = "no-msmtp is not installed"
    world.write_config()
    done = world.run("check")

    assert done.returncode == 1, "a success that nobody heard of is a warning"
    assert "the report could not be mailed: " in done.stderr
    assert said in done.stderr
    run = world.latest("check")
    assert "it is kept, and sent later" in done.stderr
    assert (run.outcome, run.mail) == (Outcome.SUCCESS, "kept")
    assert world.last_success("check") == run
    (waiting,) = (world.state / "outbox").glob("*.eml")
    assert waiting.stat().st_mode & 0o777 == 0o600
    assert world.history_of_mails() == [("run", "kept")]


def test_a_failure_stays_a_failure_when_its_mail_fails(world: World, mailbox: Mailbox) -> None:
    (world.root / "msmtprc").unlink()
    world.write_passphrase("wrong")
    assert world.run("check").returncode == 3
    assert (world.latest("check").outcome, world.latest("check").mail) == (Outcome.FAILURE, "kept")


def test_a_run_that_was_killed_is_mailed_by_whatever_runs_next(world: World, mailbox: Mailbox) -> None:
    world.kill_a_night_during("create")
    world.succeed("check")
    (message,) = mailbox.messages()
    assert message["Subject"] == "[bkp] INTERRUPTED: nightly of main on backup.example.com"
    assert "died during create" in text_of(message, "plain")
    assert world.latest().mail == "sent"


def test_a_skipped_run_is_mailed(world: World, mailbox: Mailbox) -> None:
    go = world.hold_borg("create")
    holder = world.start("nightly")
    world.wait_until_held(holder)
    assert world.run("check", "--lock-wait", "0").returncode == 4
    (message,) = mailbox.messages()
    assert message["Subject"] == "[bkp] SKIPPED: check of main on backup.example.com"
    assert "another run holds the lock: nightly on main" in text_of(message, "plain")
    go.touch()
    holder.communicate(timeout=300)


def test_what_borg_says_cannot_break_out_of_the_mail(world: World, mailbox: Mailbox) -> None:
    hostile = r"<script>alert(1)</script> {{ 7*7 }} \u001b[31m \ud800 &amp; \"\n.\nSubject: forged"
    world.wrap_borg(
        '[ "$1" = check ] || exec "$BORG" "$@"\n'
        "cat >&2 <<'END'\n"
        f'{{"type":"log_message","levelname":"ERROR","name":"x","message":"{hostile}"}}\n'
        "END\nexit 2"
    )
    assert world.run("check").returncode == 3
    (message,) = mailbox.messages()
    assert message["Subject"] == "[bkp] FAILED: check of main on backup.example.com"
    assert message.get_all("Subject") == [message["Subject"]]
    html = text_of(message, "html")
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ 7*7 }}" in html
    assert "\x1b" not in text_of(message, "plain") + html


def _passphrase() -> str:
    from tests.support.runner_world import PASSPHRASE

    return PASSPHRASE
