"""What lies outside this server, as the survey of the state tells: page, metrics, concerns and mail share it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.attestations import topics
from bkp.attestations.duties import NO_KEY, LiveKey, Standing, duties, opened, standings

if TYPE_CHECKING:
    from bkp.config.model import Config
    from bkp.past import KeySeen
    from bkp.survey import Survey


def key_of(survey: Survey, target: str) -> KeySeen | None:
    """Return the key that the last run found in the repository; None where none has told it."""
    seen = survey.past.keys.get(target)
    return seen[-1] if seen else None


def _live_keys(config: Config, survey: Survey) -> dict[str, LiveKey]:
    found = {name: key_of(survey, name) for name in config.repositories}
    return {name: LiveKey(key.id, key.fingerprint) for name, key in found.items() if key is not None}


def escrow_standings(config: Config, survey: Survey) -> list[Standing]:
    """Return how everything stands that locations are to hold; nothing where what was attested cannot be trusted."""
    if survey.attestations.problem is not None:
        return []
    return standings(duties(config, _live_keys(config, survey)), survey.attestations.records, survey.now)


def opened_by(config: Config, survey: Survey, target: str) -> Standing | None:
    """Return the word that key and passphrase of one location opened the repository; None where none counts."""
    key = _live_keys(config, survey).get(target)
    if key is None or survey.attestations.problem is not None:
        return None
    return opened(config, target, key, survey.attestations.records, survey.now)


def can_open(config: Config, survey: Survey) -> str:
    """Say in one sentence whether the repositories can be opened with what lies outside this server."""
    keyed = [name for name, each in config.repositories.items() if each.encryption not in NO_KEY]
    if not keyed:
        return "no repository has a key to keep"
    if not config.audit.escrow:
        return "no place outside this server is configured to hold the key"
    if survey.attestations.problem is not None:
        return f"not known: {survey.attestations.problem}"
    found = escrow_standings(config, survey)
    said = []
    for name in keyed:
        own = [each for each in found if each.duty.target == name and each.duty.topic is topics.KEY]
        held = [each for each in own if each.state.counts]
        proof = opened_by(config, survey, name)
        drilled = (
            f"opened from {proof.duty.location.name} on {proof.record.at.astimezone(survey.zone):%Y-%m-%d}"
            if proof is not None and proof.record is not None
            else "never opened, or not within a year"
        )
        said.append(f"{name}: its key is held at {len(held)} of {len(own)} places, {drilled}")
    return "; ".join(said)
