"""Judges attestations: is one recent enough, of the wanted level, and for the key that is there now?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from auditor.durations import shifted
from auditor.operators.values import SHOWN_DIGITS, quoted, show_list, show_time
from bkp.attestations.model import LEVELS, WARN_DAYS, Attestation
from bkp.clock import CLOCK_TOLERANCE
from bkp.printable import printable
from bkp.verdict import Verdict
from bkp.words import words

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from auditor.catalogue import Value
    from auditor.evidence import Evidence, Facts
    from auditor.rules.model import Wanted

PLACES = "location"


@dataclass(frozen=True, slots=True)
class _Place:
    """A configured escrow location: what it is, for people, and how long an attestation of it holds."""

    name: str
    description: str
    valid_for: timedelta

    def __str__(self) -> str:
        return f"{quoted(self.name)} ({printable(self.description)})" if self.description else quoted(self.name)


@dataclass(frozen=True, slots=True)
class _Meant:
    """The attestation that is wanted, facts in the place of their names. `places` is None where any subject will do."""

    wanted: Wanted
    subject: str | None
    repository: str | None
    bound_to: str | None
    places: Mapping[str, _Place] | None

    def __str__(self) -> str:
        topic = self.wanted.topic
        if self.subject is not None:
            return f"{topic} at {(self.places or {}).get(self.subject) or quoted(self.subject)}"
        return topic if self.places is None else f"{topic} at any of {show_list(tuple(map(str, self.places.values())))}"

    @property
    def is_key(self) -> bool:
        """Return whether it is bound to a key, and not to something else that can be known again."""
        return self.wanted.bind_to is not None and "key" in self.wanted.bind_to.spec.name

    @property
    def of_key(self) -> str:
        """Say the digits of the fingerprint that a person compares."""
        what = "the key " if self.is_key else ""
        return f", for {what}{printable(self.bound_to[:SHOWN_DIGITS])}" if self.bound_to else ""


class _UnknownError(Exception):
    """A fact that an attestation is compared with cannot be had."""


def judge_attestation(
    wanted: Wanted, evidence: Evidence, facts: Facts, instance: str | None, now: datetime
) -> tuple[Verdict, str]:
    """Return pass, unattested or error, and the reason."""
    if evidence.attestations.problem is not None:
        return Verdict.ERROR, f"the attestation file cannot be trusted: {printable(evidence.attestations.problem)}"
    try:
        meant = _resolve(wanted, facts, instance)
    except _UnknownError as exc:
        return Verdict.ERROR, str(exc)
    if meant.places is not None and (not meant.places or meant.subject not in {None, *meant.places}):
        place = f"{quoted(meant.subject)} is no" if meant.subject else "there is no"
        held = f"escrow location that holds the {wanted.location}"
        return Verdict.UNATTESTED, f"{place} configured {held}, and an attestation of another place does not count"
    candidates = [
        record
        for record in evidence.attestations.records
        if record.topic == wanted.topic
        and meant.subject in {None, record.subject}
        and meant.repository in {None, record.repository_id}
    ]
    if not candidates and (other := _of_another_host(evidence, meant)) is not None:
        return Verdict.UNATTESTED, f"{meant}: {other}"
    if not candidates:
        return Verdict.UNATTESTED, f"nobody has attested {meant}; wanted level {wanted.level} or better{meant.of_key}"
    flaws = []
    for record in reversed(candidates):
        flaw = _flaw(record, meant, now)
        if flaw is None:
            return Verdict.PASS, _say(record, _end(record, meant), now)
        flaws.append(flaw)
    return Verdict.UNATTESTED, f"{meant}: {flaws[0]}"


def _of_another_host(evidence: Evidence, meant: _Meant) -> str | None:
    for record in reversed(evidence.attestations.elsewhere):
        if record.topic == meant.wanted.topic and meant.subject in {None, record.subject}:
            by = f"the attestation of {show_time(record.at)} by {quoted(record.who)}"
            return f"{by} was made for the host {quoted(record.host)}, and not for this one"
    return None


def _resolve(wanted: Wanted, facts: Facts, instance: str | None) -> _Meant:
    found: dict[str, str | None] = {"subject": wanted.subject, "repository": None, "bound_to": None}
    for key, ref in (("subject", wanted.subject_from), ("repository", wanted.repository), ("bound_to", wanted.bind_to)):
        if ref is not None:
            found[key] = str(_known(facts, ref.name(instance), ref.spec.words))
    places = None if wanted.location is None else _places(facts, wanted.location)
    return _Meant(wanted, found["subject"], found["repository"], found["bound_to"], places)


def _known(facts: Facts, name: str, said: str) -> Value:
    fact = facts.get(name)
    if fact is None or fact.value is None:
        why = fact.error if fact and fact.error else "it is not there"
        raise _UnknownError(f"{said}, with which an attestation is compared: {printable(why)}")
    return fact.value


def _places(facts: Facts, item: str) -> dict[str, _Place]:
    """Return the configured locations that hold the item."""
    found = {}
    for name in facts.instances(PLACES):
        holds, seconds = (
            _known(facts, f"{PLACES}.{name}.holds", f"what {quoted(name)} holds"),
            _known(facts, f"{PLACES}.{name}.valid_for", f"how long an attestation of {quoted(name)} holds"),
        )
        if isinstance(holds, tuple) and isinstance(seconds, float) and item in holds:
            description = facts.text(f"{PLACES}.{name}.description") or ""
            found[name] = _Place(name, description, _span(seconds))
    return found


def _span(seconds: float) -> timedelta:
    try:
        return timedelta(seconds=seconds)
    except (OverflowError, ValueError):  # saved facts may say anything
        return timedelta()


def _flaw(record: Attestation, meant: _Meant, now: datetime) -> str | None:
    by = f"the attestation of {show_time(record.at)} by {quoted(record.who)}"
    if record.at > now + CLOCK_TOLERANCE:
        return f"{by} is dated in the future"
    if (nothing := _nothing_said(record)) is not None:
        return f"{by} {nothing}"
    if meant.places is not None and record.subject not in meant.places:
        held = f"configured escrow location that holds the {meant.wanted.location}"
        return f"{by} is of {quoted(record.subject)}, which is no {held}"
    if meant.bound_to is not None and record.bound_to != meant.bound_to:
        held, now_it_is = printable((record.bound_to or "nothing")[:SHOWN_DIGITS]), meant.bound_to[:SHOWN_DIGITS]
        if not meant.is_key:
            return f"{by} is for {held}, and what is there now is {now_it_is}: it is another one"
        return (
            f"{by} is for {held}, and the fingerprint now is {now_it_is}:"
            f" the key or passphrase was changed on or after {show_time(record.at)}; re-export to all locations"
        )
    if LEVELS.index(record.level) < LEVELS.index(meant.wanted.level):
        return f"{by} is of level {record.level}, wanted {meant.wanted.level} or better"
    ends = _end(record, meant)
    if ends < now:
        return f"{by} expired on {show_time(ends, now)}"
    return None


def _nothing_said(record: Attestation) -> str | None:
    """Return what the record lacks: a name and a statement, each with at least one word that can be seen."""
    if not words(record.who):
        return "names nobody who vouches for it"
    if not words(record.statement):
        return "states nothing"
    return None


def _end(record: Attestation, meant: _Meant) -> datetime:
    """Return when it stops counting: as it says itself, as the rule or as the location says, whichever is first."""
    ends = min(record.valid_until, meant.wanted.valid_for.after(record.at))
    place = None if meant.wanted.whole_term else (meant.places or {}).get(record.subject)
    return ends if place is None else min(ends, shifted(record.at, place.valid_for))


def _say(record: Attestation, ends: datetime, now: datetime) -> str:
    left = (ends - now).days
    soon = f"; it ends in {left} days" if left < WARN_DAYS else ""
    return f"{record.level} at {quoted(record.subject)} by {quoted(record.who)}, {show_time(record.at, now)}{soon}"
