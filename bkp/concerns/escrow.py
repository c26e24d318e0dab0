"""Concerns about what lies outside this server: outdated, vouched for no more, or never proven to open anything.

One lapse is one concern: it names every location to visit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.attestations import topics
from bkp.attestations.duties import NO_KEY, State
from bkp.concerns.model import Concern
from bkp.escrow import escrow_standings, key_of, opened_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from bkp.attestations.duties import Standing
    from bkp.attestations.topics import Topic
    from bkp.concerns.model import ConcernSeverity
    from bkp.config.model import Config
    from bkp.survey import Survey

_LAPSED = frozenset({State.EXPIRED, State.NEVER, State.WEAK})
_HOW = "`bkp-audit attest` asks for it, location by location"


def concerns(config: Config, survey: Survey) -> Iterator[Concern]:
    """Yield them. Where no location is configured there are none: the audit says so."""
    if not config.audit.escrow:
        return
    if survey.attestations.problem is not None:
        why = f"what was attested cannot be trusted: {survey.attestations.problem}"
        remedy = "put a good copy of the attestation file back; a torn last line may be taken out"
        yield Concern("escrow_unknown", "warning", "the attestations", why, remedy)
        return
    found = escrow_standings(config, survey)
    for name, repository in config.repositories.items():
        if repository.encryption not in NO_KEY:
            own = [each for each in found if each.duty.target == name and each.duty.topic is not topics.ZFS_KEY]
            yield from _of_repository(config, survey, name, own)
    of_zfs = [each for each in found if each.duty.topic is topics.ZFS_KEY and each.duty.target is not None]
    for root in dict.fromkeys(each.duty.target for each in of_zfs):
        yield from _of_root(f"encryption root {root}", [each for each in of_zfs if each.duty.target == root])
    yield from _lapses("what lies outside", [each for each in found if each.duty.target is None])


def _of_repository(config: Config, survey: Survey, name: str, found: list[Standing]) -> Iterator[Concern]:
    thing, key = f"repository {name}", key_of(survey, name)
    if key is None:
        if survey.recorded and found:
            why = f"{thing}: which key it has is not recorded, so nobody knows whether the copies are of it"
            yield Concern("escrow_unknown", "warning", thing, why, "`bkp-run check` records it")
        return
    remedy = f"`bkp-run export-key --target {name}` writes the key; renew each copy, then `bkp-audit attest`"
    outdated = list(_outdated(thing, found, topics.KEY, remedy, key.since))
    yield from outdated
    yield from _lapses(thing, found)
    lapsed = outdated or any(each.state in _LAPSED for each in found)
    if not lapsed and any(each.duty.topic is topics.KEY for each in found):
        yield from _proof(thing, opened_by(config, survey, name), any(each.state is State.ENDING for each in found))


def _proof(thing: str, opened: Standing | None, ending: bool) -> Iterator[Concern]:
    """Tell that a drill is due; `ending`: something of the same locations ends soon and is told already."""
    remedy = "take one, and run `bkp-run escrow-drill`"
    if opened is None:
        why = f"{thing}: no copy of its key was proven to open it within a year"
        yield Concern("escrow_unproven", "warning", thing, why, remedy)
    elif opened.state is State.ENDING and opened.ends is not None and not ending:
        why = f"{thing}: from {opened.ends:%Y-%m-%d} on no copy of its key is proven to open it"
        yield Concern("escrow_ending", "info", thing, why, remedy)


def _of_root(thing: str, found: list[Standing]) -> Iterator[Concern]:
    if any(each.state is State.UNKNOWN for each in found):
        why = f"{thing}: which key it has was not seen, so nobody knows whether the copies fit"
        yield Concern("escrow_unknown", "warning", thing, why, "`bkp-run probe` says why")
    yield from _outdated(thing, found, topics.ZFS_KEY, f"renew each copy of the ZFS key; then {_HOW}", None)
    yield from _lapses(thing, found)


def _outdated(thing: str, found: list[Standing], key: Topic, remedy: str, since: datetime | None) -> Iterator[Concern]:
    outdated = [each for each in found if each.state is State.OUTDATED]
    if outdated:
        none_left = not any(each.state.counts for each in found if each.duty.topic is key)
        severity: ConcernSeverity = "critical" if none_left else "warning"
        why = f"{thing}: its key or passphrase was changed; outdated is what lies at {_places(outdated)}"
        yield Concern("escrow_outdated", severity, thing, why, remedy, since)


def _lapses(thing: str, found: list[Standing]) -> Iterator[Concern]:
    lapsed = [each for each in found if each.state in _LAPSED]
    if lapsed:
        why = f"{thing}: nobody vouches for {_things(lapsed)}"
        since = min((each.ends for each in lapsed if each.ends is not None), default=None)
        yield Concern("escrow_lapsed", "warning", thing, why, _HOW, since)
    ending = [each for each in found if each.state is State.ENDING and each.ends is not None]
    if ending:
        first = min(each.ends for each in ending if each.ends is not None)
        why = f"{thing}: from {first:%Y-%m-%d} on nobody vouches for {_things(ending)}"
        yield Concern("escrow_ending", "info", thing, why, _HOW)


def _places(found: Iterable[Standing]) -> str:
    """Name every location once: each is one to go to."""
    return ", ".join(dict.fromkeys(each.duty.location.name for each in found))


def _things(found: Iterable[Standing]) -> str:
    by_topic: dict[str, list[Standing]] = {}
    for each in found:
        by_topic.setdefault(each.duty.topic.title, []).append(each)
    return "; ".join(f"{title} at {_places(own)}" for title, own in by_topic.items())
