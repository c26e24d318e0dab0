"""What each location is to hold, and whether somebody's word for that still counts. Pure.

The audit judges by its rules; a test holds both to the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING

from bkp.attestations import topics
from bkp.attestations.model import LEVELS, WARN_DAYS, Attestation
from bkp.clock import CLOCK_TOLERANCE
from bkp.words import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from bkp.attestations.topics import Topic
    from bkp.config.model import Config
    from bkp.config.reports import EscrowLocation

_LAST = datetime.max.replace(tzinfo=UTC)
NO_KEY = frozenset({"none"})  # modes of encryption in which there is nothing to keep


@dataclass(frozen=True)
class LiveKey:
    """The key that is in use: id of its repository or encryption root, and its fingerprint ("" if nothing tells it)."""

    id: str
    fingerprint: str


@dataclass(frozen=True)
class Duty:
    """One thing that one location is to hold. `key` is the one in use now; None where that is not known.

    `target` is the repository, or the encryption root of a ZFS key; None for a thing that belongs to neither. A key
    without a fingerprint is one of which a change cannot be seen from here: only its id is compared.
    """

    topic: Topic
    location: EscrowLocation
    target: str | None
    key: LiveKey | None

    @property
    def what(self) -> str:
        """Say what is to be there."""
        return self.topic.title + (f" of {self.target}" if self.target is not None else "")

    @property
    def command(self) -> str:
        """Return what attests it, but for who vouches for it."""
        target = ("--target", self.target) if self.target is not None else ()
        return " ".join(
            filter(None, ("bkp-audit attest", self.topic.word, self.location.name, *target, self.topic.given))
        )


class State(Enum):
    """Whether somebody's word counts for what a location is to hold."""

    HELD = "held"
    ENDING = "ending"
    EXPIRED = "expired"
    OUTDATED = "outdated"
    WEAK = "weak"
    NEVER = "never"
    UNKNOWN = "unknown"

    @property
    def counts(self) -> bool:
        """Return whether the word counts now."""
        return self in {State.HELD, State.ENDING}


@dataclass(frozen=True)
class Standing:
    """How a duty stands. `record` is the newest attestation that was made for it, and `ends` when that stops counting.

    `why` says, where its word does not count, why not.
    """

    duty: Duty
    state: State
    record: Attestation | None = None
    ends: datetime | None = None
    why: str = ""

    @property
    def matches(self) -> bool | None:
        """Return whether what was attested last is the key in use; None where that is not known, or nothing was."""
        if (
            self.record is None
            or self.duty.key is None
            or not self.duty.key.fingerprint
            or LEVELS.index(self.record.level) < LEVELS.index("matched")
        ):
            return None
        return self.record.bound_to == self.duty.key.fingerprint


def duties(
    config: Config, keys: Mapping[str, LiveKey], zfs_keys: Mapping[str, LiveKey | None] | None = None
) -> Iterator[Duty]:
    """Yield what each location is to hold, in the order of the configuration.

    `keys` are those of the repositories that are known; `zfs_keys` those of the encryption roots, by
    their names; None where nobody can ask for them, and the ZFS key is one thing then, whichever it is.
    """
    for location in config.audit.escrow:
        for topic in (topics.KEY, topics.PASSPHRASE):
            if topic.item in location.holds:
                for name, repository in config.repositories.items():
                    if repository.encryption not in NO_KEY:
                        yield Duty(topic, location, name, keys.get(name))
        if topics.ZFS_KEY.item in location.holds:
            if zfs_keys is None:
                yield Duty(topics.ZFS_KEY, location, None, None)
            else:
                yield from (Duty(topics.ZFS_KEY, location, root, key) for root, key in zfs_keys.items())
        if topics.RUNBOOK.item in location.holds:
            yield Duty(topics.RUNBOOK, location, None, None)


def stand(duty: Duty, records: Iterable[Attestation], now: datetime) -> Standing:
    """Return how a duty stands, by the newest attestation that counts, else by the newest of all."""
    own = [each for each in records if each.topic == duty.topic.name and each.subject == duty.location.name]
    if duty.target is not None and duty.key is None:
        who = (
            "what tells it from others could not be seen"
            if duty.topic is topics.ZFS_KEY
            else "the next run of a job records it"
        )
        why = f"which key is in use is not known yet: {who}"
        return Standing(duty, State.UNKNOWN, own[-1] if own else None, why=why)
    found: Standing | None = None
    for record in reversed(own):
        judged = _judged(duty, record, now, end_of(record, duty.topic, duty.location))
        if judged.state.counts:
            return judged
        found = found or judged
    return found or Standing(duty, State.NEVER, why="nobody has attested it")


def _judged(duty: Duty, record: Attestation, now: datetime, ends: datetime) -> Standing:
    if record.at > now + CLOCK_TOLERANCE:
        return Standing(duty, State.WEAK, record, why="it is dated in the future")
    if not words(record.who) or not words(record.statement):
        return Standing(duty, State.WEAK, record, why="it does not say who vouches for what")
    if duty.key is not None and record.repository_id != duty.key.id:
        what = "encryption root" if duty.topic is topics.ZFS_KEY else "repository"
        why = f"it is of another {what} than the one that is there now"
        return Standing(duty, State.OUTDATED, record, ends, why)
    if duty.key is not None and duty.key.fingerprint and record.bound_to != duty.key.fingerprint:
        why = "it is for another key: the passphrase or the key was changed since"
        return Standing(duty, State.OUTDATED, record, ends, why)
    if LEVELS.index(record.level) < LEVELS.index(duty.topic.least):
        return Standing(duty, State.WEAK, record, ends, f"it was {record.level} only, wanted {duty.topic.least}")
    if ends < now:
        return Standing(duty, State.EXPIRED, record, ends, "it has expired")
    soon = ends - now < timedelta(days=WARN_DAYS)
    return Standing(duty, State.ENDING if soon else State.HELD, record, ends)


def end_of(record: Attestation, topic: Topic, location: EscrowLocation | None = None) -> datetime:
    """Return when an attestation stops counting: as it says itself, as its topic or as its location says."""
    ends = min(record.valid_until.astimezone(UTC), after(record.at, topic.longest))
    return ends if location is None else min(ends, after(record.at, location.valid_for))


def after(moment: datetime, span: timedelta) -> datetime:
    """Return the moment that lies a span after another (UTC), or the calendar's end."""
    try:
        return moment.astimezone(UTC) + span
    except OverflowError:
        return _LAST


def standings(wanted: Iterable[Duty], records: Iterable[Attestation], now: datetime) -> list[Standing]:
    """Return how every duty stands. What is of one repository that is there says nothing of another."""
    known, asked = tuple(records), tuple(wanted)
    present = {duty.key.id for duty in asked if duty.key is not None}
    found = []
    for duty in asked:
        others = present - {duty.key.id} if duty.key is not None else set()
        found.append(stand(duty, [each for each in known if each.repository_id not in others], now))
    return found


def opened(config: Config, target: str, key: LiveKey, records: Iterable[Attestation], now: datetime) -> Standing | None:
    """Return the word of the longest term that key and passphrase from one place opened the repository, if one counts.

    It holds its whole term, however often its location is to be looked at.
    """
    known, found = tuple(records), []
    for location in config.audit.escrow:
        duty = Duty(topics.KEY, location, target, key)
        own = [each for each in known if each.topic == topics.KEY.name and each.subject == location.name]
        if topics.KEY.item in location.holds:
            term = [_judged(duty, each, now, end_of(each, topics.KEY)) for each in own if each.level == "opened"]
            found += [each for each in term if each.state.counts]
    return max(found, key=lambda each: each.ends or now, default=None)
