"""A report as a message: text and HTML, as much as fits into what no mail program clips. Pure."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from auditor.exit_codes import AuditExit
from auditor.mail.parts import Parts, parts_of
from auditor.mail.text import mail_text
from auditor.operators.values import show_time
from auditor.render.words import BADGES, SUPPORT_NOTE, floor_line, headline, said
from bkp.mail.compose import compose
from bkp.mail.templating import html_environment
from bkp.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from email.message import EmailMessage

    from auditor.mail.heads import Head
    from auditor.report import Report
    from bkp.config.reports import Mail

LIMIT_BYTES = 60_000  # as sent, both parts, encoded: mail programs clip at about 100 KB
_KINDS = {"fail": "bad", "error": "warn", "unattested": "warn", "pass": "good", "na": "calm"}  # the frame's words
# How much is tried: findings in full, and characters a text. The last is what any report fits into.
_TRIED = (
    *((most, 600) for most in range(60, 29, -5)),
    *((30, longest) for longest in (400, 300, 200)),
    *((most, 160) for most in (25, 20, 12, 6, 0)),
)

_filled: ContextVar[Parts] = ContextVar("_filled")  # what the template is being filled with


def build(report: Report, heads: Sequence[Head], mail: Mail) -> EmailMessage:
    """Return the message, of at most `LIMIT_BYTES` as it is sent."""
    message = None
    for most, longest in _TRIED:
        parts = parts_of(report, heads, most=most, longest=longest)
        message = compose(
            mail,
            report.host,
            about="audit",
            subject=subject(report),
            text=mail_text(parts),
            html=mail_html(parts),
            at=report.judged_at,
            urgent=report.exit_code == AuditExit.FINDING,
        )
        if size_as_sent(message) <= LIMIT_BYTES:
            break
    assert message is not None  # noqa: S101  # something is tried
    return message


def size_as_sent(message: EmailMessage) -> int:
    """Return the bytes of a message on its way: each of its lines ends with two (RFC 5321)."""
    raw = message.as_bytes()
    return len(raw) + raw.count(b"\n")


def subject(report: Report) -> str:
    """Return the subject: what it came to first, then whose and of when."""
    totals = report.totals
    counts = ((totals.failed, "failed"), (totals.error, "not known"), (totals.unattested, "unattested"))
    found = ", ".join(f"{count} {word}" for count, word in counts if count)
    word = headline(report).word.lower()
    host = printable(report.host)[:80]
    return f"audit {word}{f' ({found})' if found else ''}: {host}, {report.judged_at:%Y-%m-%d}"


def mail_html(parts: Parts) -> str:
    """Return the mail's HTML: one column, tables, styles inline, nothing from elsewhere."""
    environment = html_environment("auditor.mail", _bounded)
    environment.filters["clock"] = show_time
    _filled.set(parts)
    return environment.get_template("audit.html.j2").render(
        report=parts.report,
        screen=parts.screen,
        title=f"Backup audit of {printable(parts.report.host)}",
        counts=parts.counts,
        floor=floor_line(parts.report),
        findings=parts.findings,
        rest=parts.rest,
        rest_named=_whole(parts.rest_named),
        waived=parts.waived,
        heads=parts.heads,
        since_when=parts.since_when,
        sentence=parts.sentence,
        said=said,
        badges=BADGES,
        support_note=_whole(SUPPORT_NOTE),
        kinds=_KINDS,
    )


def _bounded(value: Any) -> Any:
    """Bound what is not trusted; markup that the template built itself passes."""
    return _filled.get().fit(value) if type(value) is str else value


def _whole(text: str) -> Any:
    """Return text of our own, escaped, that is not to be cut."""
    import markupsafe

    return markupsafe.escape(text)
