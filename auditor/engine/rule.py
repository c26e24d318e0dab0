"""One rule against the evidence: does it apply, to what, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditor.catalogue import namespace
from auditor.engine.attested import judge_attestation
from auditor.engine.conditions import Context, Judged, Truth, judge_check, say
from auditor.engine.limit import RULE_SECONDS, TooLongError, processor_time
from auditor.operators.values import show
from auditor.report import Observation, Subject
from bkp.verdict import Verdict

if TYPE_CHECKING:
    from datetime import datetime

    from auditor.evidence import Evidence, Facts
    from auditor.rules.model import Each, Rule

MAX_SUBJECTS = 50
MAX_OBSERVATIONS = 20

_WORST_FIRST = (Verdict.FAIL, Verdict.ERROR, Verdict.UNATTESTED, Verdict.PASS)
_OF_TRUTH = {
    Truth.TRUE: Verdict.PASS,
    Truth.FALSE: Verdict.FAIL,
    Truth.MISSING: Verdict.FAIL,
    Truth.ERROR: Verdict.ERROR,
}


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """What a rule came to. `subjects` holds the worst first and is capped; `subject_count` is not."""

    verdict: Verdict
    reason: str
    subjects: tuple[Subject, ...] = ()
    subject_count: int = 0
    oldest_evidence_at: datetime | None = None


def judge_rule(rule: Rule, evidence: Evidence, facts: Facts, now: datetime) -> RuleVerdict:
    """Return the rule's verdict: that of its worst subject. One that computes for too long is an error."""
    try:
        with processor_time(RULE_SECONDS):
            return _judge(rule, evidence, facts, now)
    except TooLongError:
        reason = f"it took more than {RULE_SECONDS:g} s of processor time: is there a pattern that tries too many ways?"
        return RuleVerdict(Verdict.ERROR, reason, (Subject(name=None, verdict=Verdict.ERROR, reason=reason),), 1)


def _judge(rule: Rule, evidence: Evidence, facts: Facts, now: datetime) -> RuleVerdict:
    if rule.applies_when is not None:
        judged = judge_check(rule.applies_when.check, Context(facts, None, now, None))
        if judged.truth is Truth.FALSE:
            reason = rule.applies_when.reason
            why = Subject(name=None, verdict=Verdict.NOT_APPLICABLE, reason=reason, observations=judged.decisive)
            return RuleVerdict(Verdict.NOT_APPLICABLE, reason, (why,))
        if judged.truth is not Truth.TRUE:
            return RuleVerdict(Verdict.ERROR, f"cannot tell whether it applies: {say(judged.decisive)}")
    if rule.each is None:
        return _sum_up([_subject(rule, evidence, facts, None, now)])
    subjects = []
    for instance in facts.instances(rule.each.namespace):
        context = Context(facts, instance, now, None)
        chosen = judge_check(rule.each.where, context) if rule.each.where is not None else None
        if chosen is None or chosen.truth is Truth.TRUE:
            subjects.append(_subject(rule, evidence, facts, instance, now))
        elif chosen.truth is not Truth.FALSE:
            reason = f"cannot tell whether it is meant: {say(chosen.decisive)}"
            subjects.append(Subject(name=instance, verdict=Verdict.ERROR, reason=reason))
    return _sum_up(subjects) if subjects else _empty(rule.each)


def _empty(each: Each) -> RuleVerdict:
    meant = " that the rule means" if each.where is not None else ""
    return RuleVerdict(Verdict(each.on_empty), each.reason or f"the evidence holds no {_noun(each.namespace)}{meant}")


def _noun(name: str) -> str:
    """Return what one instance of a namespace is called."""
    space = namespace(name)
    said = space.instance if space is not None and space.instance else name
    return said.partition(",")[0].removeprefix("a ")


def _subject(rule: Rule, evidence: Evidence, facts: Facts, instance: str | None, now: datetime) -> Subject:
    found: list[tuple[Verdict, str]] = []
    observations: tuple[Observation, ...] = ()
    if rule.check is not None:
        judged = judge_check(rule.check, Context(facts, instance, now, rule.max_age))
        observations = _decisive_first(judged)
        if not observations:  # the loader refuses such rules; a verdict without evidence must not exist even so
            return Subject(name=instance, verdict=Verdict.ERROR, reason="the rule evaluated nothing")
        found.append((_OF_TRUTH[judged.truth], say(judged.decisive)))
    if rule.attestation is not None:
        found.append(judge_attestation(rule.attestation, evidence, facts, instance, now))
    if not found:
        return Subject(name=instance, verdict=Verdict.ERROR, reason="the rule evaluated nothing")
    worst = min((verdict for verdict, _ in found), key=_WORST_FIRST.index)
    reason = "; ".join(text for verdict, text in found if verdict is worst)
    if worst is not Verdict.PASS:
        reason += _explain(rule, facts, instance)
    return Subject(name=instance, verdict=worst, reason=reason, observations=observations[:MAX_OBSERVATIONS])


def _explain(rule: Rule, facts: Facts, instance: str | None) -> str:
    """Return what the facts that the rule names as explanations say, for a verdict that needs one."""
    said = []
    for ref in rule.explain:
        fact = facts.get(ref.name(instance))
        if fact is not None and fact.value is not None:
            said.append(f"{ref.spec.words}: {show(ref.spec, fact.value)}")
    return f" ({', '.join(said)})" if said else ""


def _decisive_first(judged: Judged) -> tuple[Observation, ...]:
    rest = tuple(item for item in judged.observations if item not in judged.decisive)
    return judged.decisive + rest


def _sum_up(subjects: list[Subject]) -> RuleVerdict:
    subjects = sorted(subjects, key=lambda subject: _WORST_FIRST.index(subject.verdict))
    verdict = subjects[0].verdict
    alike = [subject for subject in subjects if subject.verdict is verdict]
    times = [item.collected_at for subject in subjects for item in subject.observations if item.collected_at]
    return RuleVerdict(
        verdict,
        _reason(verdict, alike, len(subjects)),
        tuple(subjects[:MAX_SUBJECTS]),
        len(subjects),
        min(times, default=None),
    )


def _reason(verdict: Verdict, alike: list[Subject], count: int) -> str:
    first = alike[0].reason
    if len(alike) == 1 and count == 1:
        return first
    if verdict is Verdict.PASS:
        return f"all {count} pass; {first}"
    more = f"; {len(alike) - 1} more like it" if len(alike) > 1 else ""
    return f"{len(alike)} of {count}: {alike[0].name}: {first}{more}"
