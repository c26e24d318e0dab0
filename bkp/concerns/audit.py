"""Concerns about the audit: late, not to be read, with rules that are not met, or with reports that were changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.audit_due import audit_standing
from bkp.concerns.model import Concern
from bkp.quantities import format_duration
from bkp.severity import SEVERITIES
from bkp.state.reading import Unreadable
from bkp.words import some

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bkp.audit_due import AuditStanding
    from bkp.config.model import Config
    from bkp.state.audits import KeptReport
    from bkp.survey import Survey

THE_AUDIT = "the audit"
THE_REPORTS = "the kept reports"
_MAKE_ONE = "`systemctl status bkp-audit.timer bkp-audit` says why; `bkp-audit --keep` makes one now"


def concerns(config: Config, survey: Survey) -> Iterator[Concern]:
    """Yield them."""
    standing = audit_standing(config.audit, survey)
    if isinstance(survey.audit, Unreadable):
        name = f"audit/{survey.audit.path.name}" if survey.audit.path.name != "audit" else "audit"
        yield Concern(
            "state_unreadable",
            "warning",
            name,
            f"the state file {name} {survey.audit.reason}: what the newest audit found is not known",
            "keep the file, look for a disk that fails, then run `bkp-audit --keep`",
        )
    elif survey.audit_chain is not None:
        yield Concern(
            "audit_chain_broken",
            "warning",
            THE_REPORTS,
            f"{THE_REPORTS} do not hold: {survey.audit_chain}",
            "compare `sha256sum` of each with its audit's mail; put the right file back, or move it and the older"
            " ones away once you know who changed it",
        )
    if standing.ahead:
        yield Concern(
            "clock_ahead",
            "warning",
            THE_AUDIT,
            "the newest audit is dated in the future: how old it is cannot be told",
            "set the clock (`timedatectl`), then run `bkp-audit --keep`",
        )
    if standing.deadline is not None and survey.now > standing.deadline:
        yield Concern("audit_old", "warning", THE_AUDIT, _late(standing, survey), _MAKE_ONE, standing.deadline)
    if standing.kept is not None:
        yield from _findings(standing.kept.report)


def _late(standing: AuditStanding, survey: Survey) -> str:
    if standing.kept is None:
        return "an audit was due, and none was ever kept"
    age = format_duration(survey.now - standing.kept.report.judged_at)
    return f"an audit was due, and the newest is {age} old"


def _findings(report: KeptReport) -> Iterator[Concern]:
    """Yield one concern: about the rules that keep the audit from being clean or, without any, about the rest."""
    unmet = sorted((rule for rule in report.results if rule.unmet), key=lambda rule: SEVERITIES.index(rule.severity))
    counting = [f"{rule.id} ({rule.failure or rule.title})" for rule in unmet if rule.counts]
    others = [f"{rule.id} ({rule.failure or rule.title})" for rule in unmet if not rule.counts]
    remedy = "the report says what to do about each: `bkp-audit` prints it as of now"
    if counting or report.exit_code:
        rules = f"{len(counting)} rule{'s' if len(counting) > 1 else ''} not met: {some(counting)}" if counting else ""
        why = rules or "it was not clean, for another reason than a rule"
        yield Concern("audit_findings", "warning", THE_AUDIT, f"the newest audit: {why}", remedy, report.judged_at)
    elif others:
        rules = f"{len(others)} rule{'s' if len(others) > 1 else ''} not met, none of which counts"
        yield Concern(
            "audit_findings", "info", THE_AUDIT, f"the newest audit: {rules}: {some(others)}", remedy, report.judged_at
        )
