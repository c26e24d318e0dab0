"""The words and signs that every view uses: a status is never a colour alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from auditor.exit_codes import AuditExit
from bkp.verdict import Verdict

if TYPE_CHECKING:
    from auditor.report import Report, RuleResult


class Badge(NamedTuple):
    """A status as a word and a sign; `key` names its colour."""

    word: str
    sign: str
    key: str


BADGES = {
    Verdict.FAIL: Badge("FAIL", "✗", "fail"),
    Verdict.ERROR: Badge("ERROR", "!", "error"),
    Verdict.UNATTESTED: Badge("UNATTESTED", "?", "unattested"),
    Verdict.PASS: Badge("PASS", "✓", "pass"),
    Verdict.NOT_APPLICABLE: Badge("N/A", "–", "na"),
}

CHAIN_NOTE = (
    "The history of runs and the attestations are hash chains: they show that a line was changed or removed, by"
    " accident or in haste. They do not stop somebody with root; mailed reports are the copy outside."
)
SUPPORT_NOTE = (
    "Clauses are listed as evidence supporting them. This report does not state compliance with any standard:"
    " a clause may ask for more than a rule shows."
)


def headline(report: Report) -> Badge:
    """Say what the audit came to. It is clean, and green, only where nothing was waived, passed over or left out."""
    if report.exit_code == AuditExit.FINDING:
        return Badge("Findings", "✗", "fail")
    if report.exit_code == AuditExit.UNJUDGED:
        return Badge("Not all judged", "?", "unattested")
    if report.totals.waived:
        return Badge("Waived", "!", "unattested")
    if report.totals.failed:
        return Badge("Minor findings", "!", "unattested")
    if report.left_out:
        return Badge("In part", "!", "unattested")
    return Badge("Clean", "✓", "pass")


def said(result: RuleResult) -> str:
    """Return the rule's title as its verdict makes it: what is wrong, what is not known, or what holds."""
    title = result.title
    inner = title if title[1:2].isupper() else title[:1].lower() + title[1:]
    if result.verdict is Verdict.FAIL:
        return result.failure or f"Not met: {title}"
    if result.verdict is Verdict.ERROR:
        return f"It is not known whether this holds: {inner}"
    if result.verdict is Verdict.UNATTESTED:
        return f"Nobody has lately confirmed that {inner}"
    return title


def totals_line(report: Report) -> str:
    """Say the totals: the parts add up to the rules."""
    totals = report.totals
    parts = (
        f"{totals.failed} fail",
        f"{totals.error} error",
        f"{totals.unattested} unattested",
        f"{totals.passed} pass",
        f"{totals.not_applicable} not applicable",
    )
    waived = f"; {totals.waived} of them waived" if totals.waived else ""
    return f"{totals.rules} rules: {', '.join(parts)}{waived}"


def floor_line(report: Report) -> str:
    """Say the share of rules that applied."""
    floor = report.floor
    verb = "met" if floor.met else "NOT MET"
    applied = f"{floor.applicable} of {report.totals.rules} rules apply ({floor.share:.0%})"
    return f"{applied}; floor {floor.minimum:.0%} {verb}"


def waiver_line(result: RuleResult) -> str | None:
    """Say what waivers stand beside the result."""
    if not result.waivers:
        return None
    return "; ".join(
        f"waiver {waiver.state}{f' for {waiver.subject}' if waiver.subject else ''}, through {waiver.expires}"
        f" ({waiver.approved_by}): {waiver.justification}"
        for waiver in result.waivers
    )
