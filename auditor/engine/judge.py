"""One judgement of all rules. The totals always add up to the rules that were given."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from auditor.engine.proofs import proofs_of
from auditor.engine.rule import RuleVerdict, judge_rule
from auditor.engine.waivers import ENDING_SOON_DAYS, WAIVABLE, Exemption, stand
from auditor.evidence import Evidence, Fact
from auditor.exit_codes import AuditExit
from auditor.report import ClauseRef, Floor, FrameworkCoverage, Report, RuleResult, Totals, Waiver
from bkp.severity import SEVERITIES, Severity
from bkp.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from auditor.rules.folder import Framework
    from auditor.rules.model import Rule, RuleSet

_RANK = {severity: rank for rank, severity in enumerate(SEVERITIES)}
_NAMED = 6
_ORDER = (Verdict.FAIL, Verdict.ERROR, Verdict.UNATTESTED, Verdict.PASS, Verdict.NOT_APPLICABLE)


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """What a judgement depends on besides rules, evidence and waivers. `zone` is the host's.

    `shipped` are the ids of the shipped rules. Where a rule of them may be left out `whole` is False: an audit by a
    folder that somebody names is one of those rules only, a host's own audit is not.
    """

    now: datetime
    zone: tzinfo
    program: str
    fail_on: Severity = "low"
    minimum_applicable: float = 0.5
    frameworks: Mapping[str, Framework] = field(default_factory=dict)
    shipped: frozenset[str] = frozenset()
    whole: bool = True


def judge(rules: RuleSet, evidence: Evidence, exemptions: Sequence[Exemption], options: JudgeOptions) -> Report:
    """Return the report on all rules."""
    facts = evidence.facts.including(_own_facts(rules, exemptions, options))
    verdicts = [(rule, judge_rule(rule, evidence, facts, options.now)) for rule in rules.rules]
    waivers: list[Waiver] = []
    results: list[RuleResult] = []
    for rule, verdict in verdicts:
        own = [exemption for exemption in exemptions if exemption.rule == rule.id]
        result = _result(rule, verdict, own, options)
        waivers += result.waivers
        results.append(result)
    totals = _totals(results)
    floor = _floor(totals, options.minimum_applicable)
    left_out = tuple(sorted(options.shipped - {rule.id for rule in rules.rules}))
    code, conclusion = _conclude(results, totals, floor, options, left_out)
    return Report(
        program=options.program,
        host=evidence.host,
        timezone=evidence.timezone,
        collected_at=evidence.collected_at,
        judged_at=options.now,
        rules_digest=rules.digest,
        fail_on=options.fail_on,
        exit_code=int(code),
        conclusion=conclusion,
        totals=totals,
        floor=floor,
        results=tuple(sorted(results, key=_importance)),
        proofs=proofs_of(facts, results, options.now),
        left_out=left_out,
        waivers=tuple(waivers),
        coverage=_coverage(rules, options.frameworks),
    )


def _own_facts(rules: RuleSet, exemptions: Sequence[Exemption], options: JudgeOptions) -> dict[str, Fact]:
    def fact(value: int | tuple[str, ...], source: str) -> Fact:
        return Fact(value, source, options.now)

    soon = options.now + timedelta(days=ENDING_SOON_DAYS)
    expired = tuple(item.rule for item in exemptions if item.expired(options.now, options.zone))
    ending = tuple(
        item.rule
        for item in exemptions
        if not item.expired(options.now, options.zone) and item.expired(soon, options.zone)
    )
    return {
        "audit.rules": fact(len(rules.rules), "the rules of this run"),
        "audit.waivers": fact(len(exemptions), "the waivers of this run"),
        "audit.expired_waivers": fact(expired, "the waivers of this run"),
        "audit.waivers_ending_soon": fact(ending, "the waivers of this run"),
    }


def _result(rule: Rule, verdict: RuleVerdict, own: Sequence[Exemption], options: JudgeOptions) -> RuleResult:
    bad = {subject.name for subject in verdict.subjects if subject.verdict in WAIVABLE}
    waivable = verdict.verdict in WAIVABLE
    stands = []
    covered: set[str | None] = set()
    for exemption in own:
        used = waivable and (exemption.subject is None or exemption.subject in bad)
        stands.append(stand(exemption, used=used, now=options.now, zone=options.zone))
        if used and not exemption.expired(options.now, options.zone):
            covered |= bad | {None} if exemption.subject is None else {exemption.subject}
    waived = waivable and bool(covered) and bad <= covered
    return RuleResult(
        id=rule.id,
        title=rule.title,
        failure=rule.failure,
        severity=rule.severity,
        kind=rule.kind,
        verdict=verdict.verdict,
        reason=verdict.reason,
        subject_count=verdict.subject_count,
        subjects=verdict.subjects,
        rationale=rule.rationale,
        remediation=rule.remediation,
        commands=rule.commands,
        question=rule.attestation.question if rule.attestation else None,
        every=rule.interval,
        oldest_evidence_at=verdict.oldest_evidence_at,
        waivers=tuple(stands),
        waived=waived,
        counts=not waived and _counts(verdict.verdict, rule.severity, options.fail_on),
        refs=_refs(rule, options.frameworks),
        tags=rule.tags,
    )


def _counts(verdict: Verdict, severity: Severity, fail_on: Severity) -> bool:
    """Return whether the verdict keeps the audit from being clean. What is not known counts at any severity."""
    if verdict is Verdict.FAIL:
        return _RANK[severity] <= _RANK[fail_on]
    return verdict in {Verdict.ERROR, Verdict.UNATTESTED}


def _importance(result: RuleResult) -> tuple[bool, bool, bool, int, int, str]:
    """Return what results are sorted by: what nobody has confirmed may be graver than what has failed."""
    order, rank = _ORDER.index(result.verdict), _RANK[result.severity]
    if not result.verdict.needs_somebody:
        order, rank = 0, order * len(_RANK) + rank
    return (not result.counts, result.waived, not result.verdict.needs_somebody, rank, order, result.id)


def _refs(rule: Rule, frameworks: Mapping[str, Framework]) -> tuple[ClauseRef, ...]:
    return tuple(
        ClauseRef(
            framework=name,
            clause=clause.clause,
            title=frameworks[name].clauses.get(clause.clause) if name in frameworks else None,
            uncertain=clause.uncertain,
        )
        for name, clauses in rule.refs.items()
        for clause in clauses
    )


def _totals(results: Sequence[RuleResult]) -> Totals:
    count = Counter(result.verdict for result in results)
    return Totals(
        rules=len(results),
        passed=count[Verdict.PASS],
        failed=count[Verdict.FAIL],
        error=count[Verdict.ERROR],
        unattested=count[Verdict.UNATTESTED],
        not_applicable=count[Verdict.NOT_APPLICABLE],
        waived=sum(result.waived for result in results),
    )


def _floor(totals: Totals, minimum: float) -> Floor:
    applicable = totals.rules - totals.not_applicable
    share = applicable / totals.rules if totals.rules else 0.0
    return Floor(applicable=applicable, share=round(share, 4), minimum=minimum, met=applicable > 0 and share >= minimum)


def _conclude(
    results: Sequence[RuleResult], totals: Totals, floor: Floor, options: JudgeOptions, left_out: Sequence[str]
) -> tuple[AuditExit, str]:
    fail_on = options.fail_on
    failing = [result for result in results if result.counts and result.verdict is Verdict.FAIL]
    unknown = [result for result in results if result.counts and result.verdict is Verdict.ERROR]
    unattested = [result for result in results if result.counts and result.verdict is Verdict.UNATTESTED]
    parts = []
    if failing:
        parts.append(f"{_rules(len(failing))} failed at or above severity {fail_on}{_critical(failing)}")
    if not floor.met:
        share = f"{floor.applicable} of {_rules(totals.rules)}"
        parts.append(f"only {share} applied, wanted at least {floor.minimum:.0%}: too few to tell")
    if unknown:
        parts.append(f"{_rules(len(unknown))} could not be judged{_critical(unknown)}")
    if unattested:
        verb = "is" if len(unattested) == 1 else "are"
        parts.append(f"{_rules(len(unattested))} {verb} attested by nobody{_critical(unattested)}")
    if left_out:
        parts.append(f"{len(left_out)} of the shipped rules {'is' if len(left_out) == 1 else 'are'} left out")
    if totals.waived:
        parts.append(f"{totals.waived} waived")
    if failing or not floor.met:
        return AuditExit.FINDING, "; ".join(parts)
    if unknown or unattested or (left_out and options.whole):
        return AuditExit.UNJUDGED, "; ".join(parts)
    minor = totals.failed - sum(result.verdict is Verdict.FAIL and result.waived for result in results)
    verb = "applies" if floor.applicable == 1 else "apply"
    clean = [f"{totals.passed} of {_rules(floor.applicable)} that {verb} passed"]
    if minor:
        clean.append(f"{minor} failed below severity {fail_on}")
    clean += parts
    return AuditExit.CLEAN, ", ".join(clean)


def _critical(results: Sequence[RuleResult]) -> str:
    """Name those of severity critical: a number alone would hide them among the rest."""
    ids = [result.id for result in results if result.severity == "critical"]
    if not ids:
        return ""
    named = ", ".join(ids[:_NAMED]) + (f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else "")
    return f" (critical: {named})"


def _rules(count: int) -> str:
    return f"{count} rule" if count == 1 else f"{count} rules"


def _coverage(rules: RuleSet, frameworks: Mapping[str, Framework]) -> tuple[FrameworkCoverage, ...]:
    found = []
    for short, framework in frameworks.items():
        clauses: dict[str, list[str]] = {clause: [] for clause in framework.clauses}
        for rule in rules.rules:
            for clause in rule.refs.get(short, ()):
                clauses.setdefault(clause.clause, []).append(rule.id)
        found.append(
            FrameworkCoverage(
                framework=short,
                name=framework.name,
                clauses={clause: tuple(ids) for clause, ids in clauses.items() if ids},
                without_rule=tuple(clause for clause, ids in clauses.items() if not ids),
            )
        )
    return tuple(found)
