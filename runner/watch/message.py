"""What has changed, as one mail: what is wrong in one sentence, since when, what to do first, then the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bkp.mail.compose import compose, one_line
from bkp.quantities import format_duration
from runner.notify.render import render

if TYPE_CHECKING:
    from datetime import datetime, tzinfo
    from email.message import EmailMessage

    from bkp.config.reports import Mail
    from runner.watch.decide import Change, Decision

MOST_SHOWN = 30  # of a thousand: a mail that nobody reads to its end helps nobody
MOST_NAMED = 10
_MAX_SENTENCE = 600
# What a change is called at the head of its section, in the subject, and where it stands alone.
_SECTIONS = (
    ("new", "New"),
    ("changed", "Changed for the worse"),
    ("flapping", "Comes and goes"),
    ("reminder", "Still there"),
    ("gone", "Over"),
    ("passed", "Came and went"),
)
_KIND = {"critical": "bad", "warning": "warn"}
_SIGN = {"bad": "✗", "warn": "!", "good": "✓"}


def subject(changes: tuple[Change, ...], host: str) -> str:
    """Return the subject: how grave it is, where, and what; of several the gravest, and how many more there are."""
    first, more = changes[0], len(changes) - 1
    word = {"gone": "over", "passed": "over", "reminder": f"still {first.known.severity}"}.get(
        first.what, first.known.severity.upper()
    )
    rest = f" (and {more} more)" if more else ""
    return f"{word} on {host}: {one_line(first.known.sentence, 120)}{rest}"


def build(decision: Decision, mail: Mail, host: str, now: datetime, zone: tzinfo) -> EmailMessage:
    """Return the whole message; times are shown in the host's zone."""
    facts = view(decision, host, now, zone)
    return compose(
        mail,
        host,
        about="watch",
        subject=subject(decision.changes, host),
        text=render("watch.txt.j2", facts),
        html=render("watch.html.j2", facts),
        at=now,
        urgent=any(each.is_urgent for each in decision.changes),
    )


def view(decision: Decision, host: str, now: datetime, zone: tzinfo) -> dict[str, Any]:
    """Return what the templates show: all text, nothing left to compute."""
    shown, left_out = decision.changes[:MOST_SHOWN], decision.changes[MOST_SHOWN:]
    items = [(each.what, _item(each, now, zone)) for each in shown]
    sections = [
        {"title": title, "entries": [item for what, item in items if what == word]}
        for word, title in _SECTIONS
        if any(what == word for what, _ in items)
    ]
    others = [f"{each.severity}: {one_line(each.sentence, 120)}" for each in decision.unchanged]
    first = items[0][1]
    return {
        "title": subject(decision.changes, host),
        "kind": first["kind"],
        "sign": first["sign"],
        "headline": _headline(decision, host),
        "sections": sections,
        "left_out": len(left_out),
        "others": others[:MOST_NAMED],
        "others_left_out": max(0, len(others) - MOST_NAMED),
        "looked": now.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z"),
        "host": host,
    }


def _headline(decision: Decision, host: str) -> str:
    words = [
        f"{count} {word}"
        for count, word in (
            (sum(each.what == "new" for each in decision.changes), "new"),
            (sum(each.what == "changed" for each in decision.changes), "changed for the worse"),
            (sum(each.what == "flapping" for each in decision.changes), "coming and going"),
            (sum(each.what == "reminder" for each in decision.changes), "still there"),
            (sum(each.is_over for each in decision.changes), "over"),
        )
        if count
    ]
    return f"{host}: {', '.join(words)}"


def _item(change: Change, now: datetime, zone: tzinfo) -> dict[str, str]:
    known = change.known
    since = known.since.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")
    kind = "good" if change.is_over else _KIND[known.severity]
    if change.lasted is not None and known.gone_at is not None:
        ended = known.gone_at.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")
        when = f"{since} to {ended}: it lasted {format_duration(change.lasted)}"
    else:
        when = f"{since} ({format_duration(now - known.since)})"
    word: str = "over" if change.is_over else known.severity
    if change.what == "flapping":
        word += f", came {len(known.seen)} times or more within a day"
    return {
        "kind": kind,
        "sign": _SIGN[kind],
        "word": word,
        "sentence": one_line(known.sentence, _MAX_SENTENCE),
        "when": when,
        "label": "From" if change.is_over else "Since",
        "remedy": "" if change.is_over else one_line(known.remedy, _MAX_SENTENCE),
    }
