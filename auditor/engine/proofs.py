"""Could we restore today? What the facts and the rules on them say of archive, restore and keys. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from auditor.operators.values import show_time
from auditor.report import Proof
from bkp.clock import CLOCK_TOLERANCE
from bkp.printable import printable
from bkp.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from auditor.evidence import Facts
    from auditor.report import RuleResult

ESCROW = "escrow"  # the tag of rules on the keys outside this server
_ARCHIVE_RULES = ("RUN-002", "RUN-007", "ENC-006")
_RESTORE_RULES = ("TST-001",)
_WORST = (Verdict.FAIL, Verdict.ERROR, Verdict.UNATTESTED, Verdict.NOT_APPLICABLE, Verdict.PASS)
_MOST = 8  # repositories and rules that are named


def proofs_of(facts: Facts, results: Sequence[RuleResult], now: datetime) -> tuple[Proof, ...]:
    """Return the three proofs. One of which nothing is known, or that no rule judges, is an error, never a pass."""
    return (
        _each("Last good archive", facts, results, _ARCHIVE_RULES, now, _archive),
        _each("Last proven restore", facts, results, _RESTORE_RULES, now, _restore),
        _escrow([result for result in results if ESCROW in result.tags]),
    )


def _each(
    what: str,
    facts: Facts,
    results: Sequence[RuleResult],
    rules: tuple[str, ...],
    now: datetime,
    say: Callable[[Facts, str, datetime], tuple[Verdict, str]],
) -> Proof:
    names = _repositories(facts)
    said = [say(facts, name, now) for name in names]
    judging = [result for result in results if result.id in rules]
    verdicts = [verdict for verdict, _ in said] + [result.verdict for result in judging]
    if not judging:  # an archive of last year is there as well
        verdicts.append(Verdict.ERROR)
    unjudged = "" if judging else "; no rule judges it"
    text = "; ".join(f"{printable(name)}: {text}" for name, (_, text) in list(zip(names, said, strict=True))[:_MOST])
    more = f"; and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return Proof(
        what=what,
        verdict=min(verdicts, key=_WORST.index) if said else Verdict.ERROR,
        text=text + more + unjudged if names else "no repository is known",
        rules=tuple(result.id for result in judging),
    )


def _repositories(facts: Facts) -> list[str]:
    fact = facts.get("config.repositories")
    return list(fact.value) if fact is not None and isinstance(fact.value, tuple) else facts.instances("archive")


def _archive(facts: Facts, name: str, now: datetime) -> tuple[Verdict, str]:
    return _when(facts, f"archive.{name}.started_at", now)


def _restore(facts: Facts, name: str, now: datetime) -> tuple[Verdict, str]:
    verdict, text = _when(facts, f"restore.{name}.last_success_at", now)
    files, matched = facts.get(f"restore.{name}.files"), facts.get(f"restore.{name}.matched")
    if verdict is Verdict.PASS and files is not None and matched is not None:
        text += f", {matched.value} of {files.value} files as recorded"
    return verdict, text


def _when(facts: Facts, name: str, now: datetime) -> tuple[Verdict, str]:
    fact = facts.get(name)
    if fact is None:
        return Verdict.ERROR, "not known: nobody looked"
    if fact.error is not None:
        return Verdict.ERROR, f"not known: {printable(fact.error)}"
    if fact.value is None:
        return Verdict.FAIL, "none"
    if not isinstance(fact.value, datetime) or fact.value > now + CLOCK_TOLERANCE:
        return Verdict.ERROR, f"not known: dated in the future, {fact.value}"
    return Verdict.PASS, show_time(fact.value, now)


def _escrow(results: Sequence[RuleResult]) -> Proof:
    asked = [result for result in results if result.verdict is not Verdict.NOT_APPLICABLE]
    lacking = [result for result in asked if result.verdict is not Verdict.PASS]
    if not asked:
        return Proof(what="Keys outside this server", verdict=Verdict.ERROR, text="no rule asks about them")
    if not lacking:
        text = f"all {len(asked)} rules on them are met" if len(asked) > 1 else "the rule on them is met"
    else:
        named = ", ".join(result.id for result in lacking[:_MOST])
        more = f" and {len(lacking) - _MOST} more" if len(lacking) > _MOST else ""
        text = f"{len(lacking)} of {len(asked)} rules on them are not met: {named}{more}"
    return Proof(
        what="Keys outside this server",
        verdict=min((result.verdict for result in asked), key=_WORST.index),
        text=text,
        rules=tuple(result.id for result in asked),
    )
