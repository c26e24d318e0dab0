"""The newest kept audit: when it was, when the next is due, and what became of each rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.audit_due import AuditStanding, audit_standing
from bkp.state.audits import KeptReport, KeptRule
from bkp.verdict import Verdict
from exporter.metrics.metric import Labels, Metric, MetricSection, Table, Value, label_text
from exporter.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

MAX_RULES = 500  # a broken report must not be able to fill Prometheus' storage with series
VERDICTS = tuple(Verdict)

_ABSENT = "no report is kept, or the newest cannot be read"
_Rule = tuple[KeptRule, "datetime | None"]


def _standing(model: Model) -> AuditStanding:
    return audit_standing(model.config.config.audit, model.survey)


def _report(model: Model) -> Iterator[tuple[Labels, KeptReport]]:
    kept = _standing(model).kept
    if kept is not None:
        yield (), kept.report


def _verdicts(model: Model) -> Iterator[tuple[Labels, int]]:
    for _, report in _report(model):
        totals = report.totals
        counts = {
            Verdict.FAIL: totals.failed,
            Verdict.ERROR: totals.error,
            Verdict.UNATTESTED: totals.unattested,
            Verdict.PASS: totals.passed,
            Verdict.NOT_APPLICABLE: totals.not_applicable,
        }
        for verdict in VERDICTS:
            yield (verdict,), counts[verdict]


def _rules(model: Model) -> Iterator[tuple[Labels, _Rule]]:
    kept = _standing(model).kept
    if kept is not None:
        known = {rule.id: rule for rule in kept.report.results}  # each once, or a broken report would take all down
        for name, rule in list(known.items())[:MAX_RULES]:
            yield (label_text(name),), (rule, kept.unmet_since.get(name))


def _info(found: _Rule) -> Labels:
    rule, _ = found
    return (label_text(rule.title), rule.severity)


def _unmet_since(found: _Rule) -> Value:
    rule, since = found
    return since if rule.verdict.needs_somebody else None


SECTION = MetricSection[Model](
    "audit",
    "Audit",
    "What the newest report says that `bkp-audit --keep` has kept, as its unit does every month. The verdicts are of"
    " `bkp_audit_judged_timestamp_seconds`: nothing here is judged anew.",
    Table[Model, AuditStanding](
        (),
        lambda model: [((), _standing(model))],
        Metric(
            "bkp_audit_deadline_timestamp_seconds",
            "Time after which the audit counts as late: first elapse of its schedule after the newest kept report or,"
            " where there is none, after the first run on this server, plus grace.",
            "configuration: audit.schedule and grace; audit/*.json: report.judged_at; history.jsonl",
            lambda standing: standing.deadline,
            absent="the audit has no schedule, or the newest report cannot be read or is dated in the future, or"
            " nothing has ever run",
        ),
    ),
    Table[Model, KeptReport](
        (),
        _report,
        Metric(
            "bkp_audit_judged_timestamp_seconds",
            "When the newest audit was judged.",
            "audit/*.json: report.judged_at",
            lambda report: report.judged_at,
        ),
        Metric(
            "bkp_audit_clean",
            "1 if nothing counted against the newest audit, 0 if something did: its exit code was not 0.",
            "audit/*.json: report.exit_code",
            lambda report: report.exit_code == 0,
        ),
        Metric(
            "bkp_audit_waived_rules",
            "Rules whose failure was waived.",
            "audit/*.json: report.totals.waived",
            lambda report: report.totals.waived,
        ),
        absent=_ABSENT,
    ),
    Table[Model, int](
        ("verdict",),
        _verdicts,
        Metric(
            "bkp_audit_rules",
            "Rules with this verdict. Together they are all rules.",
            "audit/*.json: report.totals",
            lambda count: count,
            absent=_ABSENT,
        ),
    ),
    Table[Model, _Rule](
        ("rule",),
        _rules,
        Metric(
            "bkp_audit_rule_verdict",
            "What became of the rule: 1 for the verdict that holds, 0 for the others.",
            "audit/*.json: report.results[].verdict",
            lambda found: str(found[0].verdict),
            labels=("verdict",),
            states=tuple(str(verdict) for verdict in VERDICTS),
        ),
        Metric(
            "bkp_audit_rule_info",
            "What the rule asks for, and how much it matters.",
            "audit/*.json: report.results[].title, .severity",
            _info,
            labels=("title", "severity"),
        ),
        Metric(
            "bkp_audit_rule_counts",
            "1 if the rule keeps the audit from being clean, 0 if not.",
            "audit/*.json: report.results[].counts",
            lambda found: found[0].counts,
        ),
        Metric(
            "bkp_audit_rule_waived",
            "1 if its failure is waived, 0 if not.",
            "audit/*.json: report.results[].waived",
            lambda found: found[0].waived,
        ),
        Metric(
            "bkp_audit_rule_unmet_since_timestamp_seconds",
            "When the first of the reports was judged in which, one after the other, the rule was not met.",
            "audit/*.json: unmet_since",
            _unmet_since,
            absent="the rule is met or does not apply, no report is kept, or the newest cannot be read",
        ),
        absent=_ABSENT,
    ),
)
