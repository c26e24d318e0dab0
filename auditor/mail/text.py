"""The plain-text twin of the mail: all that the HTML says, for programs and people that want no HTML. Pure."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from auditor.operators.values import show_time
from auditor.render.words import BADGES, SUPPORT_NOTE, floor_line, said
from bkp.printable import printable
from bkp.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.mail.parts import Parts
    from auditor.report import RuleResult

WIDTH = 76


def mail_text(parts: Parts) -> str:
    """Return the text of the mail."""
    return "\n".join(_lines(parts)) + "\n"


def _lines(parts: Parts) -> Iterator[str]:
    report, screen = parts.report, parts.screen
    yield f"Backup audit of {parts.fit(report.host)}"
    yield ""
    yield from _wrapped(f"{screen.badge.sign} {screen.badge.word}. {parts.fit(screen.verdict)}")
    yield ""
    yield from _wrapped(f"{parts.counts}. {floor_line(report)}. Judged {show_time(report.judged_at)}.")
    yield from _proofs(parts)
    yield from _changes(parts)
    yield from _what_to_do(parts)
    if parts.waived:
        yield from _head("Waived")
        yield from _wrapped(f"{parts.fit(parts.waived)}.")
    yield from _head("Copies of the heads")
    yield from _wrapped("Keep this mail: it shows later whether history and reports on the server were changed.")
    for head in parts.heads:
        yield from _item(f"{head.what}: {parts.fit(head.text)}")
        if head.digest is not None:
            yield f"    {head.digest}"
    yield ""
    yield from _wrapped(f"{report.program}, rules {report.rules_digest[:12]}, times in UTC. {SUPPORT_NOTE}")


def _proofs(parts: Parts) -> Iterator[str]:
    yield from _head("Can we restore today?")
    yield from _wrapped(parts.fit(parts.screen.restorable))
    for proof in parts.screen.proofs:
        yield from _item(f"{proof.badge.sign} {proof.what}: {proof.badge.word}. {parts.fit(proof.text)}")


def _changes(parts: Parts) -> Iterator[str]:
    screen = parts.screen
    yield from _head("Since the last report")
    if screen.since:
        yield from _wrapped(screen.since)
    for word, text in screen.changes:
        yield from _item(f"{word}: {parts.fit(text)}")


def _what_to_do(parts: Parts) -> Iterator[str]:
    screen = parts.screen
    yield from _head("What to do first")
    if screen.first is None:
        yield "Nothing: no rule needs anybody."
    else:
        first = screen.first
        yield from _wrapped(f"{parts.fit(said(first))} ({first.id}, {first.severity}).")
        yield from _remedy(first, parts)
    if parts.findings:
        yield from _head("What needs somebody")
        for result in parts.findings:
            yield from _finding(result, parts)
    if parts.rest:
        yield from _wrapped(f"And {len(parts.rest)} more, in full in the report on the server: {parts.rest_named}.")


def _finding(result: RuleResult, parts: Parts) -> Iterator[str]:
    badge = BADGES[result.verdict]
    yield from _wrapped(f"{badge.sign} {badge.word}  {parts.fit(said(result))}")
    yield from _item(
        f"{result.id}, {result.severity}{parts.since_when(result)}. {parts.fit(parts.sentence(result.reason))}"
    )
    if result.verdict is Verdict.UNATTESTED and result.question:
        yield from _item(f"To attest: {parts.fit(result.question)}")
    if result is not parts.screen.first:
        yield from _remedy(result, parts)
    yield ""


def _remedy(result: RuleResult, parts: Parts) -> Iterator[str]:
    yield from _item(f"Remedy: {parts.fit(result.remediation)}")
    for line in result.commands:
        yield f"      {printable(line)}"


def _head(text: str) -> list[str]:
    return ["", text, "-" * len(text)]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_on_hyphens=False)


def _item(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
