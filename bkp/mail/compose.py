"""A message as mail programs want it: plain text that stands on its own, and the same as HTML. Pure."""

from __future__ import annotations

import re
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import TYPE_CHECKING

from bkp.printable import printable

if TYPE_CHECKING:
    from datetime import datetime

    from bkp.config.reports import Mail
    from bkp.state.records import MailAbout

MAX_SUBJECT = 180
MAX_TEXT = 200_000
MAX_BYTES = 900 << 10  # as sent: one character may take nine, and a mail that is larger could not wait in the outbox
ABOUT_HEADER, RUN_HEADER = "X-Bkp-About", "X-Bkp-Run"
_CUT = "\n… the rest is left out: this text is too long for a mail.\n"


def compose(
    mail: Mail,
    host: str,
    *,
    about: MailAbout,
    subject: str,
    text: str,
    html: str | None,
    at: datetime,
    urgent: bool = False,
    run_id: str | None = None,
) -> EmailMessage:
    """Return the whole message. `subject` is put after `[bkp] `; `at` (UTC) is when it happened.

    What nobody could see is shown instead of sent. Text that is too long is cut, HTML that is too long left out.
    """
    message = EmailMessage()
    message["Subject"] = f"[bkp] {one_line(subject, MAX_SUBJECT)}"
    message["From"] = Address("bkp", addr_spec=mail.sender or f"bkp@{domain(host)}")
    message["To"] = mail.recipient
    message["Date"] = format_datetime(at)
    message["Message-ID"] = make_msgid(f"bkp-{about}", domain=domain(host))
    message["Auto-Submitted"] = "auto-generated"
    message[ABOUT_HEADER] = about
    if run_id is not None:
        message[RUN_HEADER] = run_id
    if urgent:
        message["X-Priority"] = "2"
    plain = printable(text, keep="\n")
    shown = printable(html, keep="\n") if html is not None and len(html) <= MAX_TEXT else None
    _fill(message, plain if len(plain) <= MAX_TEXT else plain[:MAX_TEXT] + _CUT, shown)
    most = min(len(plain), MAX_TEXT)
    while len(message.as_bytes()) > MAX_BYTES:
        message.clear_content()
        most = most if shown is not None else most // 2
        shown = None
        _fill(message, plain if len(plain) <= most else plain[:most] + _CUT, None)
    return message


def _fill(message: EmailMessage, plain: str, html: str | None) -> None:
    message.set_content(plain, cte="quoted-printable")
    if html is not None:
        message.add_alternative(html, subtype="html", cte="quoted-printable")


def one_line(text: str, limit: int) -> str:
    """Return the text as one line of at most so many characters."""
    line = " ".join(printable(text, keep="\n").split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def domain(host: str) -> str:
    """Return a host's name as the domain of an address: a host may have a name that no mail server would take."""
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", host).strip("-.") or "localhost"
    return name if "." in name else f"{name}.localdomain"
