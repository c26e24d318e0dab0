"""What lies outside this server, as the survey of the state tells: page, metrics and concerns share it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.attestations import topics
from bkp.attestations.duties import LiveKey, Standing, duties, opened, standings
from bkp.inventory import take_inventory

if TYPE_CHECKING:
    from bkp.config.model import Config
    from bkp.past import KeySeen
    from bkp.survey import Survey

_UNTOLD = frozenset({"raw", "hex"})  # forms of a key of which ZFS tells nothing that changes with it


def key_of(survey: Survey, target: str) -> KeySeen | None:
    """Return the key that the last run found in the repository; None where none has told it."""
    seen = survey.past.keys.get(target)
    return seen[-1] if seen else None


def _live_keys(config: Config, survey: Survey) -> dict[str, LiveKey]:
    found = {name: key_of(survey, name) for name in config.repositories}
    return {name: LiveKey(key.id, key.fingerprint) for name, key in found.items() if key is not None}


def _zfs_keys(config: Config, survey: Survey) -> dict[str, LiveKey | None] | None:
    """Return the keys of the encryption roots that the backup lies on, as the probe saw them last.

    None where it does not see all of the backup's datasets. Of a raw or hex key a change is not seen: no fingerprint.
    """
    if not any(topics.ZFS_KEY.item in place.holds for place in config.audit.escrow):
        return None
    datasets = {each.name: each for each in take_inventory(config, survey.observations, survey.now).datasets}
    used = [each.seen for each in datasets.values() if each.uses]
    if not used or None in used:
        return None
    found: dict[str, LiveKey | None] = {}
    for root in sorted({each.encryption_root for each in used if each is not None and each.encryption_root}):
        seen = datasets[root].seen if root in datasets else None
        known = seen is not None and seen.guid is not None and (seen.key_fingerprint or seen.key_form in _UNTOLD)
        found[root] = LiveKey(seen.guid, seen.key_fingerprint or "") if seen and seen.guid and known else None
    return found


def escrow_standings(config: Config, survey: Survey) -> list[Standing]:
    """Return how everything stands that locations are to hold; nothing where what was attested cannot be trusted."""
    if survey.attestations.problem is not None:
        return []
    wanted = duties(config, _live_keys(config, survey), _zfs_keys(config, survey))
    return standings(wanted, survey.attestations.records, survey.now)


def opened_by(config: Config, survey: Survey, target: str) -> Standing | None:
    """Return the word that key and passphrase of one location opened the repository; None where none counts."""
    key = _live_keys(config, survey).get(target)
    if key is None or survey.attestations.problem is not None:
        return None
    return opened(config, target, key, survey.attestations.records, survey.now)
