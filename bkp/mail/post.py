"""Sending: a mail is kept in the outbox first, and leaves it when a mail server has taken it.

So a mail is sent at least once, whatever is killed and when. What became of it stands in the history.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bkp.clock import local_zone, utc_now
from bkp.errors import StateError
from bkp.mail.compose import ABOUT_HEADER, RUN_HEADER, compose
from bkp.mail.outbox import LARGEST_MAIL, Outbox
from bkp.state.files import read_bytes
from bkp.state.ledger import Ledger
from bkp.state.locking import held
from bkp.state.reading import Readable
from bkp.state.records import MailNote
from bkp.tools.msmtp import send

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from email.message import EmailMessage

    from bkp.clock import Clock
    from bkp.config.model import Config
    from bkp.mail.outbox import Overflow
    from bkp.state.records import MailAbout, MailResult

GIVE_UP = timedelta(days=3)  # after which a mail that the server refuses keeps no other one waiting
MOST_REFUSED = 5  # in one go: a server that refuses so many refuses all
_SENDING = ".outbox-sending.lock"
_ABOUT: tuple[MailAbout, ...] = ("run", "watch", "audit", "test", "unit", "digest")


@dataclass(frozen=True)
class Posted:
    """What became of a mail: `kept` is in the outbox, `failed` neither sent nor kept; then `reason` says why."""

    result: Literal["sent", "kept", "failed"]
    reason: str | None = None


@dataclass
class Delivery:
    """What became of the outbox: the names of the files that were sent, and why it was not emptied."""

    sent: set[str] = field(default_factory=set)
    reason: str | None = None


def post(config: Config, message: EmailMessage, clock: Clock = utc_now, *, code_hash: str | None = None) -> Posted:
    """Send a mail, after those that wait already; keep it where it cannot leave. Never raises for a failed delivery.

    `code_hash` belongs to a test mail, and goes into the history with it.
    """
    raw, outbox = message.as_bytes(), outbox_of(config)
    try:
        kept = outbox.put(raw, clock())
    except StateError as exc:  # nothing keeps it: it leaves now, or not at all
        refused = send(config.mail, raw)
        if refused is not None:
            with contextlib.suppress(StateError):  # then the history may say it, and whoever posts does
                outbox.count_lost(raw, clock())
        posted = Posted("sent") if refused is None else Posted("failed", f"{refused.reason}; {exc.message}")
        _note(config, raw, posted.result, clock(), posted.reason, code_hash)
        return posted
    delivery = deliver(config, clock, code_hashes={kept.path.name: code_hash})
    if kept.path.name in delivery.sent:
        return Posted("sent")
    if not kept.path.exists():  # somebody else was sending, and has sent it
        return Posted("sent")
    _note(config, raw, "kept", clock(), delivery.reason, code_hash)
    return Posted("kept", delivery.reason)


def deliver(config: Config, clock: Clock = utc_now, *, code_hashes: dict[str, str | None] | None = None) -> Delivery:
    """Send what waits, oldest first, until it is all sent, the server cannot be had, or time is up.

    Time is `mail.timeout`, and the same again for another one that is sending. Never raises for a failed delivery.
    """
    delivery, seconds = Delivery(), config.mail.timeout.total_seconds()
    try:
        with held(Path(config.paths.lock) / _SENDING, seconds + 5):
            _deliver(config, clock, delivery, time.monotonic() + seconds, code_hashes or {})
    except StateError as exc:
        delivery.reason = exc.message
    return delivery


def outbox_of(config: Config) -> Outbox:
    """Return the outbox of this configuration."""
    return Outbox(Path(config.paths.state), Path(config.paths.lock))


def _deliver(
    config: Config, clock: Clock, delivery: Delivery, deadline: float, code_hashes: dict[str, str | None]
) -> None:
    outbox, refusals = outbox_of(config), 0
    overflow = outbox.overflow()
    if overflow is not None and not _send_digest(config, outbox, overflow, delivery, clock):
        return
    for kept in outbox.kept():
        if time.monotonic() > deadline:
            delivery.reason = delivery.reason or "the mail server is slow: the rest is sent later"
            return
        content = read_bytes(kept.path, LARGEST_MAIL)
        if not isinstance(content, Readable):
            if kept.path.exists():
                delivery.reason = f"the mail {kept.path} cannot be read"
            continue
        refused = send(config.mail, content.value)
        if refused is None:
            delivery.sent.add(kept.path.name)
            with _telling(delivery):
                outbox.remove(kept)
            _note(config, content.value, "sent", clock(), None, code_hashes.get(kept.path.name))
            continue
        delivery.reason, refusals = refused.reason, refusals + 1
        if not refused.by_server or refusals == MOST_REFUSED:
            return
        if kept.kept_at is None or clock() - kept.kept_at > GIVE_UP:
            outbox.give_up(kept, clock())
            _note(config, content.value, "failed", clock(), f"given up: {refused.reason}", None)


def _send_digest(config: Config, outbox: Outbox, overflow: Overflow, delivery: Delivery, clock: Clock) -> bool:
    message = digest(config, overflow)
    raw = message.as_bytes()
    if (refused := send(config.mail, raw)) is not None:
        delivery.reason = refused.reason
        return refused.by_server  # which may well take the others
    _note(config, raw, "sent", clock(), None, None)
    with _telling(delivery):
        outbox.told(overflow)
    return True


@contextlib.contextmanager
def _telling(delivery: Delivery) -> Iterator[None]:
    """Note why what was sent stays in the outbox, to be sent again: the others must not wait for it."""
    try:
        yield
    except StateError as exc:
        delivery.reason = exc.message


def digest(config: Config, overflow: Overflow) -> EmailMessage:
    """Return the mail that stands for those that were given up."""
    zone, host = local_zone(), config.host or os.uname().nodename
    first, last = (
        each.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z") for each in (overflow.first_at, overflow.last_at)
    )
    one = overflow.count == 1
    count = "1 mail" if one else f"{overflow.count} mails"
    lines = [
        f"{count} of {host} could not be delivered and {'was' if one else 'were'} given up.",
        "",
        f"Written between {first} and {last}. There was no room for them, or the mail server refused them for days.",
        "What to do: `bkp-run status` says what is wrong now; `bkp-run history` says what was.",
        "",
        "They were about:",
        *(f"  {subject}" for subject in overflow.subjects),
    ]
    if overflow.count > len(overflow.subjects):
        lines.append(f"  … and {overflow.count - len(overflow.subjects)} more")
    subject, text = f"{count} of {host} could not be delivered", "\n".join(lines) + "\n"
    message = compose(
        config.mail, host, about="digest", subject=subject, text=text, html=None, at=overflow.last_at, urgent=True
    )
    message.replace_header("Message-ID", overflow.message_id)
    return message


def _note(
    config: Config, raw: bytes, result: MailResult, at: datetime, reason: str | None, code_hash: str | None
) -> None:
    """Put what became of a mail into the history. Where that cannot be written, the next run says so."""
    from email.parser import BytesHeaderParser
    from email.policy import default

    headers = BytesHeaderParser(policy=default).parsebytes(raw)
    about: MailAbout = next((each for each in _ABOUT if each == headers[ABOUT_HEADER]), "unit")
    note = MailNote(
        message_id=str(headers["Message-ID"] or "").strip(),
        about=about,
        to=str(headers["To"] or ""),
        result=result,
        at=at,
        run_id=str(headers[RUN_HEADER]) if headers[RUN_HEADER] else None,
        reason=reason,
        code_hash=code_hash,
    )
    with contextlib.suppress(StateError):
        if Path(config.paths.state).is_dir():  # else it may be a mount point, and nothing is to be made there
            Ledger(Path(config.paths.state) / "history.jsonl").append_mail(note)
