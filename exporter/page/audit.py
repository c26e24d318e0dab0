"""The row about the newest audit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.audit_due import audit_standing
from bkp.state.reading import Unreadable
from exporter.page.parts import Row, moment_of

if TYPE_CHECKING:
    from bkp.state.audits import KeptTotals
    from exporter.model import Model


def audit_row(model: Model) -> Row:
    """Return what the newest kept audit came to, and when. What is not known is never good."""
    survey = model.survey
    standing = audit_standing(model.config.config.audit, survey)
    if isinstance(survey.audit, Unreadable):
        return Row("audit", "not known: the newest report cannot be read", tone="warn")
    late = standing.deadline is not None and survey.now > standing.deadline
    if standing.kept is None:
        return Row("audit", "none was kept; one was due" if late else "none yet", tone="warn" if late else "")
    report = standing.kept.report
    words = _words(report.totals)
    if standing.ahead:
        words += "; dated in the future"
    elif late:
        words += "; the next one is late"
    tone = "bad" if report.exit_code else "warn" if late or standing.ahead else ""
    return Row("audit", f"{words};", moment_of(survey, report.judged_at), tone)


def _words(totals: KeptTotals) -> str:
    """Return the counts that are not 0, the bad ones first."""
    counts = (
        (totals.failed, "failed"),
        (totals.error, "could not be judged"),
        (totals.unattested, "not attested"),
        (totals.waived, "waived"),
        (totals.passed, "passed"),
    )
    return ", ".join(f"{count} {word}" for count, word in counts if count) or "no rule applied"
