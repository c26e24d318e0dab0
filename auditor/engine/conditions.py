"""Conditions over facts, in four values: a fact that is missing, or could not be had, is neither true nor false.

Combining follows Kleene's logic, so that no unknown can turn a verdict green, under `none` least of all.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from auditor.operators.values import show, show_time
from auditor.report import Observation
from auditor.rules.model import Check, Condition, Group
from bkp.clock import CLOCK_TOLERANCE
from bkp.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from auditor.durations import IsoDuration
    from auditor.evidence import Fact, Facts


class Truth(Enum):
    """MISSING ends as a failure, ERROR as an error; both only if the rest does not decide without them."""

    TRUE = "true"
    FALSE = "false"
    MISSING = "missing"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Judged:
    """What a check came to, every observation on the way, and those of them that decided it."""

    truth: Truth
    observations: tuple[Observation, ...]
    decisive: tuple[Observation, ...]


@dataclass(frozen=True, slots=True)
class Context:
    """What conditions are judged against: facts, the instance `*` stands for, the moment, and how old facts may be."""

    facts: Facts
    instance: str | None
    now: datetime
    max_age: IsoDuration | None


def judge_check(check: Check, context: Context) -> Judged:
    """Return what the check comes to."""
    if isinstance(check, Condition):
        truth, observation = _condition(check, context)
        return Judged(truth, (observation,), (observation,))
    parts = [judge_check(item, context) for item in check.items]
    truth = _combine(check, [part.truth for part in parts])
    wanted = _decisive(check, truth)
    return Judged(
        truth,
        tuple(observation for part in parts for observation in part.observations),
        tuple(observation for part in parts if part.truth in wanted for observation in part.decisive),
    )


def _combine(group: Group, truths: list[Truth]) -> Truth:
    decided = Truth.FALSE if group.kind == "all" else Truth.TRUE
    if decided in truths:
        result = decided
    elif Truth.MISSING in truths:
        return Truth.MISSING
    elif Truth.ERROR in truths:
        return Truth.ERROR
    else:
        result = Truth.TRUE if group.kind == "all" else Truth.FALSE
    if group.kind == "none":
        return Truth.FALSE if result is Truth.TRUE else Truth.TRUE
    return result


def _decisive(group: Group, truth: Truth) -> frozenset[Truth]:
    """Return which parts' truths explain the group's."""
    if group.kind == "none" and truth in {Truth.TRUE, Truth.FALSE}:
        return frozenset({Truth.FALSE if truth is Truth.TRUE else Truth.TRUE})
    return frozenset({truth})


def _condition(condition: Condition, context: Context) -> tuple[Truth, Observation]:
    name, said = condition.fact.name(context.instance), condition.fact.said()
    fact = context.facts.get(name)
    if problem := _unusable(fact, context):
        return Truth.ERROR, _observation(name, None, f"{said}: {problem}", fact)
    value = fact.value if fact else None
    operand, wanted = condition.operand, ""
    if condition.other is not None:
        other_said = condition.other.said()
        other = context.facts.get(condition.other.name(context.instance))
        if problem := _unusable(other, context):
            return Truth.ERROR, _observation(name, None, f"{other_said}: {problem}", other)
        if other is None or other.value is None:
            sentence = f"{said}: wanted {condition.operator.words.format(other_said)}, and that is not there"
            return _absent(condition), _observation(name, None, sentence, other)
        operand = other.value
        wanted = f"{condition.operator.words.format(other_said)}, {show(condition.other.spec, operand, context.now)}"
    wanted = wanted or condition.operator.wanted(condition.fact.spec, operand)
    if fact is None and condition.operator.judges_absence:
        sentence = f"{said}: was never looked for, wanted {wanted}"
        return _absent(condition), _observation(name, None, sentence, None)
    if value is None and not condition.operator.judges_absence:
        where = f" ({printable(fact.source)})" if fact else ""
        return _absent(condition), _observation(name, None, f"{said}: found nothing{where}, wanted {wanted}", fact)
    answer = condition.operator.test(value, operand, context.now)  # type: ignore[arg-type]  # absence is judged by some
    found = show(condition.fact.spec, value, context.now)
    detail = f" ({answer.detail})" if answer.detail and not answer.holds else ""
    as_wanted = "as wanted" if answer.holds and found == wanted else f"wanted {wanted}"
    sentence = f"{said}: found {found}, {as_wanted}{detail}"
    return Truth.TRUE if answer.holds else Truth.FALSE, _observation(name, answer.holds, sentence, fact)


def _absent(condition: Condition) -> Truth:
    return Truth.MISSING if condition.on_missing == "fail" else Truth.ERROR


def _unusable(fact: Fact | None, context: Context) -> str | None:
    if fact is None:
        return None
    if fact.error is not None:
        return f"could not be collected: {printable(fact.error)}"
    if fact.collected_at > context.now + CLOCK_TOLERANCE:
        return f"evidence dated in the future, {show_time(fact.collected_at)}"
    if context.max_age is not None and fact.collected_at < context.max_age.before(context.now):
        collected = show_time(fact.collected_at, context.now)
        return f"stale evidence, collected {collected}, wanted at most {context.max_age} old"
    return None


def _observation(name: str, holds: bool | None, sentence: str, fact: Fact | None) -> Observation:
    return Observation(
        fact=name,
        holds=holds,
        sentence=sentence,
        source=printable(fact.source) if fact else None,
        collected_at=fact.collected_at if fact else None,
    )


def say(observations: tuple[Observation, ...], limit: int = 3) -> str:
    """Return the observations' sentences in one, the first `limit` of them."""
    sentences = list(_unique(observations))
    more = len(sentences) - limit
    return "; ".join(sentences[:limit]) + (f"; and {more} more" if more > 0 else "")


def _unique(observations: Iterable[Observation]) -> Iterator[str]:
    """Yield each sentence once, and of the facts that one source cannot give only the first."""
    seen: set[str] = set()
    for observation in observations:
        unknown = observation.holds is None and observation.source is not None
        key = f"unknown in {observation.source}" if unknown else observation.sentence
        if key not in seen:
            seen.add(key)
            yield observation.sentence
