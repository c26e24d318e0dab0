"""A rule's conditions in words, for `rules show` and the generated documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.rules.model import Check, Condition, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.rules.schema import Clause

_GROUPS = {"all": "all of:", "any": "at least one of:", "none": "none of:"}


def describe_rule(rule: Rule) -> Iterator[str]:
    """Yield lines that say what the rule applies to and asks."""
    if rule.applies_when is not None:
        yield "applies when"
        yield from describe_check(rule.applies_when.check, 1)
    if rule.each is not None:
        yield f"for each {rule.each.namespace}" + (" where" if rule.each.where is not None else "")
        if rule.each.where is not None:
            yield from describe_check(rule.each.where, 1)
        yield f"  (none at all: {rule.each.on_empty})"
    if rule.check is not None:
        yield "wanted"
        yield from describe_check(rule.check, 1)
    if rule.max_age is not None:
        yield f"from evidence at most {rule.max_age} old"
    if (wanted := rule.attestation) is not None:
        yield f"attested, level {wanted.level} or better, for {wanted.valid_for}: {wanted.question}"
        if wanted.location is not None:
            yield f"  (of a configured escrow location that holds the {wanted.location}, for its valid_for at most)"
        if wanted.bind_to is not None:
            yield f"  (bound to {wanted.bind_to.spec.name}: ends when that changes)"


def describe_check(check: Check, depth: int) -> Iterator[str]:
    """Yield the check's lines, indented by two blanks a level."""
    indent = "  " * depth
    if isinstance(check, Condition):
        if check.other is not None:
            wanted = check.operator.words.format(check.other.name())
        else:
            wanted = check.operator.wanted(check.fact.spec, check.operand)
        yield f"{indent}{check.fact.name()}: {wanted}"
        return
    yield indent + _GROUPS[check.kind]
    for item in check.items:
        yield from describe_check(item, depth + 1)


def describe_clauses(clauses: tuple[Clause, ...]) -> str:
    """Say which clauses of one standard a rule cites."""
    return ", ".join(item.clause + (" (uncertain)" if item.uncertain else "") for item in clauses)
