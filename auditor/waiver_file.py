"""The waiver file: strict YAML; a waiver that is unclear, unjustified or too long ends the run."""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Literal

import msgspec

from auditor.engine.waivers import MAX_DAYS_AHEAD, Exemption
from auditor.rules.place import read_input
from auditor.rules.schema import Line, Prose
from bkp.errors import did_you_mean
from bkp.words import words
from bkp.yamlfile.typed import load_typed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from auditor.rules.model import Rule
    from bkp.yamlfile.loader import Document

MIN_WORDS = 3


class WaiverEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One waiver: of which rule (and which subject of it), why, who approved it, and its last day."""

    rule: str
    subject: Line | None = None
    justification: Prose
    approved_by: Line
    expires: str


class WaiverFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole waiver file."""

    schema: Literal[1]
    waivers: tuple[WaiverEntry, ...]


def load_waivers(path: Path, rules: Sequence[Rule], now: datetime, zone: tzinfo) -> list[Exemption]:
    """Return the waivers in `path`. Raise `InputFileError` naming file and line for anything that is not sound."""
    content = read_input(path, ("no such waiver file", "write one, or remove audit.waivers"))
    return parse_waivers(content, str(path), rules, now, zone)


def parse_waivers(content: bytes, source: str, rules: Sequence[Rule], now: datetime, zone: tzinfo) -> list[Exemption]:
    """Return the waivers in `content`; `source` names it in errors."""
    document, file = load_typed(content, source, WaiverFile)
    today = now.astimezone(zone).date()
    by_id = {rule.id: rule for rule in rules}
    seen: set[tuple[str, str | None]] = set()
    found = []
    for index, entry in enumerate(file.waivers):
        if entry.rule not in by_id:
            remedy = did_you_mean(entry.rule, by_id) or "`bkp-audit rules list` shows all of them"
            raise document.error(("waivers", index, "rule"), f"unknown rule {entry.rule!r}", remedy=remedy)
        if not by_id[entry.rule].waivable:
            message = f"{entry.rule} judges the audit itself, and that cannot be waived"
            raise document.error(("waivers", index, "rule"), message, remedy="remove the waiver, and mend the cause")
        _check_words(document, index, entry)
        if (entry.rule, entry.subject) in seen:
            raise document.error(("waivers", index, "rule"), f"{entry.rule} is waived twice", remedy="remove one")
        seen.add((entry.rule, entry.subject))
        expires = _date(document, index, entry.expires, today)
        found.append(Exemption(entry.rule, entry.justification.strip(), entry.approved_by, expires, entry.subject))
    return found


def _check_words(document: Document, index: int, entry: WaiverEntry) -> None:
    """Raise where nobody, or no reason, stands behind the waiver."""
    if words(entry.justification) < MIN_WORDS:
        message = f"justification: wanted at least {MIN_WORDS} words that say why"
        raise document.error(("waivers", index, "justification"), message)
    if not words(entry.approved_by):
        raise document.error(("waivers", index, "approved_by"), "approved_by: wanted a name")


def _date(document: Document, index: int, text: str, today: date) -> date:
    path = ("waivers", index, "expires")
    try:
        expires = date.fromisoformat(text) if len(text) == len("2026-01-31") else None
    except ValueError:
        expires = None
    if expires is None:
        raise document.error(path, f"expires: found {text[:60]!r}, wanted a date such as 2026-01-31")
    latest = today + timedelta(days=MAX_DAYS_AHEAD)
    if expires > latest:
        message = f"expires: {expires} is more than {MAX_DAYS_AHEAD} days ahead"
        raise document.error(path, message, remedy=f"{latest} at the latest; renew it then if it is still needed")
    return expires
