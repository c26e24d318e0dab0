"""Whether somebody vouched for it, recently enough, thoroughly enough, and for the very thing that is there now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.evidence import LEVELS, Attestation, Evidence, Facts
from auditor.operators.ages import CLOCK_TOLERANCE
from auditor.operators.values import SHOWN_DIGITS, printable, quoted, show_time
from auditor.report import Verdict

if TYPE_CHECKING:
    from datetime import datetime

    from auditor.rules.model import Wanted

WARN_DAYS = 14


def judge_attestation(
    wanted: Wanted, evidence: Evidence, facts: Facts, instance: str | None, now: datetime
) -> tuple[Verdict, str]:
    """Return pass, unattested or error, and the reason."""
    if evidence.attestations.problem is not None:
        return Verdict.ERROR, f"the attestation file cannot be trusted: {printable(evidence.attestations.problem)}"
    resolved: dict[str, str | None] = {"subject": wanted.subject, "repository": None, "bind_to": None}
    for key, ref in (("subject", wanted.subject_from), ("repository", wanted.repository), ("bind_to", wanted.bind_to)):
        if ref is None:
            continue
        fact = facts.get(ref.name(instance))
        if fact is None or fact.value is None:
            why = fact.error if fact and fact.error else "it is not there"
            return Verdict.ERROR, f"{ref.name(instance)}, which an attestation is compared with: {printable(why)}"
        resolved[key] = str(fact.value)
    candidates = [
        record
        for record in evidence.attestations.records
        if record.topic == wanted.topic
        and resolved["subject"] in {None, record.subject}
        and resolved["repository"] in {None, record.repository_id}
    ]
    of_what = f"{wanted.topic} at {quoted(resolved['subject'])}" if resolved["subject"] else wanted.topic
    if not candidates:
        return Verdict.UNATTESTED, f"nobody has attested {of_what}; wanted level {wanted.level} or better"
    flaws = []
    for record in reversed(candidates):
        flaw = _flaw(record, wanted, resolved["bind_to"], now)
        if flaw is None:
            return Verdict.PASS, _say(record, _end(record, wanted), now)
        flaws.append(flaw)
    return Verdict.UNATTESTED, f"{of_what}: {flaws[0]}"


def _flaw(record: Attestation, wanted: Wanted, bound_to: str | None, now: datetime) -> str | None:
    by = f"the attestation of {show_time(record.at)} by {quoted(record.who)}"
    if record.at > now + CLOCK_TOLERANCE:
        return f"{by} is dated in the future"
    if bound_to is not None and record.bound_to != bound_to:
        held = (record.bound_to or "nothing")[:SHOWN_DIGITS]
        return (
            f"{by} is for {printable(held)}, and the fingerprint now is {bound_to[:SHOWN_DIGITS]}:"
            f" the key or passphrase was changed on or after {show_time(record.at)}; re-export to all locations"
        )
    if LEVELS.index(record.level) < LEVELS.index(wanted.level):
        return f"{by} is of level {record.level}, wanted {wanted.level} or better"
    ends = _end(record, wanted)
    if ends < now:
        return f"{by} expired on {show_time(ends, now)}"
    return None


def _end(record: Attestation, wanted: Wanted) -> datetime:
    """Return when it stops counting: as it says itself, or as the rule says, whichever comes first."""
    return min(record.valid_until, wanted.valid_for.after(record.at))


def _say(record: Attestation, ends: datetime, now: datetime) -> str:
    left = (ends - now).days
    soon = f"; it ends in {left} days" if left < WARN_DAYS else ""
    return f"{record.level} at {quoted(record.subject)} by {quoted(record.who)}, {show_time(record.at, now)}{soon}"
