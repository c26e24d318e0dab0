"""mail test, mail confirm, mail send; and what a unit calls that failed."""

from __future__ import annotations

import hashlib
import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bkp.clock import local_zone, utc_now
from bkp.config import load_config
from bkp.errors import ExitCode, StateError, UsageError
from runner.commands import options

if TYPE_CHECKING:
    from email.message import EmailMessage

    from bkp.config import Config

CODE_VALID = timedelta(days=7)
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # without what looks alike
_CODE_LENGTH = 8


@click.group(
    "mail",
    short_help="Prove that mails arrive; send those that wait.",
    epilog=options.examples(
        "bkp-run mail test                 send a mail with a code",
        "bkp-run mail confirm ABCD2345     the code has arrived: say so",
        "bkp-run mail send                 send what waits in the outbox, now",
    ),
)
def mail_group() -> None:
    """Send a mail that proves the way to the person who is to act, and confirm that it came."""


@mail_group.command("test", epilog=options.examples("bkp-run mail test", "bkp-run mail test --dry-run"))
@options.dry_run
@click.pass_obj
def test_command(config_path: Path, dry_run: bool) -> int:
    """Send a mail with a code to the configured address. Whoever gets it types the code: `bkp-run mail confirm CODE`.

    The audit wants that once in 35 days (rule ALR-005). Ends with 1 if the mail has not left.
    """
    import secrets

    from bkp.mail.post import post

    config = _with_mail(config_path)
    if dry_run:
        click.echo(f"a mail with a code would be sent to {config.mail.recipient}")
        return ExitCode.SUCCESS
    code = "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_LENGTH))
    posted = post(config, _test_mail(config, code), code_hash=_hash(code))
    if posted.result == "sent":
        click.echo(f"sent to {config.mail.recipient}; the code in it is for `bkp-run mail confirm CODE`")
        return ExitCode.SUCCESS
    kept = "it is kept, and sent later" if posted.result == "kept" else "it is lost"
    click.echo(f"error: the mail has not left: {posted.reason}; {kept}", err=True)
    return ExitCode.WARNING


@mail_group.command("confirm", epilog=options.examples("bkp-run mail confirm ABCD2345"))
@click.argument("code")
@click.pass_obj
def confirm_command(config_path: Path, code: str) -> int:
    """Record that a person got the test mail with this CODE: one of the last seven days, to the same address."""
    import msgspec

    from bkp.history import read_history
    from bkp.state.ledger import Ledger

    config, now = _with_mail(config_path), utc_now()
    ledger = Ledger(Path(config.paths.state) / "history.jsonl")
    history = read_history(ledger)
    wanted = _hash(code.strip().upper())
    found = next((each for each in reversed(history.past.tests) if each.code_hash == wanted), None)
    if found is None:
        raise UsageError("no test mail with this code was sent", remedy="`bkp-run mail test` sends another one")
    if found.to != config.mail.recipient:
        raise UsageError(
            f"that mail went to {found.to}, and mail.to is {config.mail.recipient} now",
            remedy="`bkp-run mail test` sends another one",
        )
    if not timedelta(0) <= now - found.at <= CODE_VALID:
        raise UsageError(
            f"that mail is not of the last {CODE_VALID.days} days", remedy="`bkp-run mail test` sends another one"
        )
    ledger.append_mail(msgspec.structs.replace(found, result="confirmed", at=now, reason=None))
    click.echo(f"recorded: a mail of this server has arrived at {found.to}")
    return ExitCode.SUCCESS


@mail_group.command("send", epilog=options.examples("bkp-run mail send"))
@click.pass_obj
def send_command(config_path: Path) -> int:
    """Send what waits in the outbox, oldest first. Ends with 1 if something still waits."""
    from bkp.mail.post import deliver, outbox_of

    config = _with_mail(config_path)
    delivery = deliver(config)
    left = outbox_of(config).look()
    click.echo(f"{len(delivery.sent)} sent, {left.mails} wait" + (f": {delivery.reason}" if delivery.reason else ""))
    return ExitCode.WARNING if left.mails or left.problem else ExitCode.SUCCESS


@mail_group.command(
    "unit-failed",
    hidden=True,
    epilog=options.examples("bkp-run mail unit-failed borg-backup.service --result exit-code --status 203"),
)
@click.argument("unit")
@click.option("--result", default="", help="$MONITOR_SERVICE_RESULT (systemd.exec(5)).")
@click.option("--status", default="", help="$MONITOR_EXIT_STATUS.")
@click.pass_obj
def unit_failed_command(config_path: Path, unit: str, result: str, status: str) -> int:
    """For bkp-unit-failed@.service: mail that a unit failed and could not say so itself."""
    from bkp.mail.post import post

    config = _with_mail(config_path)
    posted = post(config, _unit_mail(config, unit, result, status))
    if posted.result == "failed":
        raise StateError(f"the mail could neither be sent nor kept: {posted.reason}")
    return ExitCode.SUCCESS


def _with_mail(path: Path) -> Config:
    config = load_config(path)
    if config.mail.to is None:
        raise UsageError("no address is configured", remedy="set mail.to")
    return config


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


def _test_mail(config: Config, code: str) -> EmailMessage:
    from bkp.mail.compose import compose
    from runner.notify.render import render

    now, host = utc_now(), config.host or os.uname().nodename
    facts = {
        "title": f"test mail of {host}",
        "kind": "calm",
        "host": host,
        "code": code,
        "to": config.mail.recipient,
        "until": (now + CODE_VALID).astimezone(local_zone()).strftime("%Y-%m-%d %H:%M %Z"),
    }
    text, html = render("test.txt.j2", facts), render("test.html.j2", facts)
    return compose(config.mail, host, about="test", subject=f"test mail of {host}", text=text, html=html, at=now)


def _unit_mail(config: Config, unit: str, result: str, status: str) -> EmailMessage:
    from bkp.mail.compose import compose
    from runner.notify.render import render
    from runner.units.failed import advice

    now, host = utc_now(), config.host or os.uname().nodename
    why, remedy = advice(result, status)
    title = f"FAILED: {unit} on {host}"
    facts = {"title": title, "kind": "bad", "unit": unit, "host": host, "why": why, "remedy": remedy}
    facts["at"] = now.astimezone(local_zone()).strftime("%Y-%m-%d %H:%M:%S %Z")
    text, html = render("unit.txt.j2", facts), render("unit.html.j2", facts)
    return compose(config.mail, host, about="unit", subject=title, text=text, html=html, at=now, urgent=True)


COMMANDS = (mail_group,)
