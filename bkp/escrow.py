"""What lies outside this server, as the survey of the state tells: page, metrics and concerns share it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.attestations.duties import LiveKey, Standing, duties, opened, standings

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
