"""The first screen of every view: the verdict, whether we can restore, what changed, and what to do first. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditor.operators.values import show_time
from auditor.render.words import BADGES, Badge, headline, said
from bkp.verdict import Verdict

if TYPE_CHECKING:
    from auditor.report import Proof, Report, RuleResult

_NAMED = 8  # rules that one line of changes names


@dataclass(frozen=True)
class ProofLine:
    """One thing that a restore would rest on, and how it stands."""

    what: str
    badge: Badge
    text: str


@dataclass(frozen=True)
class FirstScreen:
    """What somebody sees without scrolling: text, nothing left to compute.

    `changes` are a word and what it is about; `first` is the finding to begin with, None where nothing is to be done.
    """

    badge: Badge
    verdict: str
    counts: tuple[tuple[Badge, int], ...]
    restorable: str
    proofs: tuple[ProofLine, ...]
    since: str
    changes: tuple[tuple[str, str], ...]
    first: RuleResult | None
    others: int


def first_screen(report: Report) -> FirstScreen:
    """Return the first screen of a report."""
    needing = needs_somebody(report)
    head, changes = _changes(report)
    return FirstScreen(
        badge=headline(report),
        verdict=f"{report.conclusion}.",
        counts=_counts(report),
        restorable=_restorable(report.proofs),
        proofs=tuple(ProofLine(each.what, _PROOF[each.verdict], each.text) for each in report.proofs),
        since=head,
        changes=changes,
        first=needing[0] if needing else None,
        others=max(0, len(needing) - 1),
    )


def needs_somebody(report: Report) -> list[RuleResult]:
    """Return the rules that somebody must look at, gravest first: not met as far as is known, and not waived."""
    return [result for result in report.results if result.verdict.needs_somebody and not result.waived]


_PROOF = {
    Verdict.PASS: Badge("PROVEN", "✓", "pass"),
    Verdict.FAIL: Badge("LACKING", "✗", "fail"),
    Verdict.ERROR: Badge("NOT KNOWN", "!", "error"),
    Verdict.UNATTESTED: Badge("UNATTESTED", "?", "unattested"),
    Verdict.NOT_APPLICABLE: Badge("NOT ASKED", "!", "error"),
}


def _restorable(proofs: tuple[Proof, ...]) -> str:
    lacking = [each.what.lower() for each in proofs if each.verdict is Verdict.FAIL]
    open_ = [each.what.lower() for each in proofs if each.verdict not in {Verdict.FAIL, Verdict.PASS}]
    if not proofs:
        return "Not known: nothing was looked at."
    if lacking:
        return f"Do not count on it. In trouble: {', '.join(lacking)}." + (
            f" Not proven: {', '.join(open_)}." if open_ else ""
        )
    if open_:
        return f"Not proven: {', '.join(open_)}."
    return "Yes: each part of it was proven lately."


def _counts(report: Report) -> tuple[tuple[Badge, int], ...]:
    """Return how many rules got each verdict, without those that none got."""
    totals = report.totals
    counts = (
        (Verdict.FAIL, totals.failed),
        (Verdict.ERROR, totals.error),
        (Verdict.UNATTESTED, totals.unattested),
        (Verdict.PASS, totals.passed),
        (Verdict.NOT_APPLICABLE, totals.not_applicable),
    )
    return tuple((BADGES[verdict], count) for verdict, count in counts if count)


def _changes(report: Report) -> tuple[str, tuple[tuple[str, str], ...]]:
    since = report.since
    if since is None:
        return "Not compared with an earlier report.", ()
    titles = {result.id: said(result) for result in report.results}
    lines = []
    for word, rules in (("New", since.new), ("Fixed", since.fixed), ("No longer asked", since.dropped)):
        if rules:
            lines.append((word, _named([f"{rule} {titles.get(rule, '')}".strip() for rule in rules])))
    if since.still:
        oldest = sorted(since.still.items(), key=lambda item: item[1])
        lines.append(("Not met still", _named([f"{rule} since {at:%Y-%m-%d}" for rule, at in oldest])))
    if since.note is not None:
        lines.append(("Note", since.note))
    if since.at is None:
        return "", tuple(lines)
    changed = since.new or since.fixed or since.still or since.dropped
    head = f"Compared with the report of {show_time(since.at)}"
    return head + (":" if changed else ": nothing changed."), tuple(lines)


def _named(rules: list[str]) -> str:
    more = len(rules) - _NAMED
    return "; ".join(rules[:_NAMED]) + (f"; and {more} more" if more > 0 else "")
