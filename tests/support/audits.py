"""Kept reports of the audit, written by the real writer."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bkp.state.audits import KeptReport, KeptReports, KeptRule, KeptTotals
from bkp.verdict import Verdict

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

CLEAN = (
    KeptRule(id="ENC-001", title="The repository is encrypted", severity="critical", verdict=Verdict.PASS),
    KeptRule(id="ZFS-001", title="Pools are online", severity="high", verdict=Verdict.NOT_APPLICABLE),
)
MIXED = (
    KeptRule(
        id="KEY-001",
        title="The exported key is the live one",
        failure="The exported key is not the live one",
        severity="critical",
        verdict=Verdict.FAIL,
        counts=True,
    ),
    KeptRule(id="KEY-002", title="The key lies elsewhere", severity="high", verdict=Verdict.UNATTESTED, counts=True),
    KeptRule(id="RUN-001", title="Nights succeed", severity="high", verdict=Verdict.ERROR, counts=True),
    KeptRule(id="PRM-001", title="The passphrase is root's", severity="low", verdict=Verdict.FAIL, waived=True),
    *CLEAN,
)


def a_kept_report(at: datetime, rules: tuple[KeptRule, ...] = CLEAN, **changes: Any) -> KeptReport:
    """Return a report on these rules."""
    count = Counter(rule.verdict for rule in rules)
    values: dict[str, Any] = {
        "program": "bkp-audit 0.1.0",
        "host": "vault",
        "judged_at": at,
        "rules_digest": "ab" * 32,
        "fail_on": "low",
        "exit_code": 1 if any(rule.counts for rule in rules) else 0,
        "totals": KeptTotals(
            rules=len(rules),
            passed=count[Verdict.PASS],
            failed=count[Verdict.FAIL],
            error=count[Verdict.ERROR],
            unattested=count[Verdict.UNATTESTED],
            not_applicable=count[Verdict.NOT_APPLICABLE],
            waived=sum(rule.waived for rule in rules),
        ),
        "results": rules,
    }
    return KeptReport(**(values | changes))


def keep(state: Path, at: datetime, rules: tuple[KeptRule, ...] = CLEAN, **changes: Any) -> Path:
    """Keep a report. What is not met in it was not met for a month."""
    unmet = {rule.id: at - timedelta(days=30) for rule in rules if rule.verdict.needs_somebody}
    return KeptReports(state).keep(a_kept_report(at, rules, **changes), at, unmet)
