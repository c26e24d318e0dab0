"""What attesting compares with: the configuration, the keys in use, and what was attested before. The edge."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bkp import __version__
from bkp.attestations.duties import NO_KEY, LiveKey, duties, standings
from bkp.attestations.file import append_attestations, read_attestations
from bkp.attestations.model import Attestation
from bkp.clock import local_zone
from bkp.errors import BkpError, StateError, UsageError
from bkp.history import read_history
from bkp.own_names import own_names
from bkp.state.ledger import GENESIS
from bkp.state.store import StateStore
from bkp.tools.borg.live_key import live_key
from bkp.tools.zfs.client import Zfs
from bkp.tools.zfs.keys import keys_of_backup

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, tzinfo

    from auditor.attest.proof import Proof
    from bkp.attestations.duties import Standing
    from bkp.attestations.topics import Topic
    from bkp.config.model import Config
    from bkp.key_export import ExportedKey
    from bkp.past import KeySeen, Past
    from bkp.tools.zfs.keys import ZfsKey

LOCK_WAIT_SECONDS = 20.0


@dataclass
class Site:
    """One host at one moment (`now`, UTC)."""

    config: Config
    now: datetime
    zone: tzinfo = field(default_factory=local_zone)
    zfs: Zfs = field(default_factory=lambda: Zfs(lambda _line: None, timeout=30.0))
    _exports: dict[str, ExportedKey] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """Return where attestations are."""
        return Path(self.config.attestations_path)

    @property
    def state(self) -> Path:
        """Return the state directory."""
        return Path(self.config.paths.state)

    @property
    def records(self) -> tuple[Attestation, ...]:
        """Return what was attested of this host before. Raise `StateError` where that cannot be trusted."""
        found = read_attestations(self.path).of_host(own_names(self.config, self._history))
        if found.problem is not None:
            raise StateError(f"the attestation file cannot be trusted: {found.problem}", remedy="put a good copy back")
        return found.records

    def repositories(self, target: str | None) -> list[str]:
        """Return the repository that is meant, or all that have a key; raise `UsageError` for one that is not there."""
        names = [name for name, each in self.config.repositories.items() if each.encryption not in NO_KEY]
        if target is None:
            return names
        if target not in names:
            raise UsageError(f"no repository {target!r} with a key", remedy=f"configured: {', '.join(names)}")
        return [target]

    def export(self, target: str) -> ExportedKey:
        """Return the key that the repository has now. Raise `BkpError` where it cannot be had."""
        if target not in self._exports:
            self._exports[target] = live_key(self.config.repositories[target], lock_wait=LOCK_WAIT_SECONDS)
        return self._exports[target]

    def live(self, target: str) -> LiveKey:
        """Return which key that is."""
        key = self.export(target)
        return LiveKey(key.repository_id, key.fingerprint)

    def live_keys(self) -> dict[str, LiveKey]:
        """Return the keys of the repositories that can be asked."""
        found = {}
        for target in self.repositories(None):
            try:
                found[target] = self.live(target)
            except BkpError:
                continue
        return found

    def seen(self, target: str) -> Sequence[KeySeen]:
        """Return the keys that runs found in the repository, oldest first."""
        return self._history.keys.get(target, ())

    @cached_property
    def _history(self) -> Past:
        return read_history(StateStore(self.state).ledger).past

    @cached_property
    def zfs_keys(self) -> dict[str, ZfsKey]:
        """Return the keys of the encryption roots of the backup's datasets. Raise `BkpError` if zfs cannot be asked."""
        return keys_of_backup(self.zfs, self.config)

    def standings(self) -> list[Standing]:
        """Return how everything stands that locations are to hold, what cannot be asked as unknown."""
        roots: dict[str, LiveKey | None] = {}
        if any("zfs-key" in place.holds for place in self.config.audit.escrow):
            try:
                for root, key in self.zfs_keys.items():
                    roots[root] = LiveKey(key.guid, key.fingerprint) if key.fingerprint is not None else None
            except BkpError:
                roots = {"its encryption root": None}
        return standings(duties(self.config, self.live_keys(), roots), self.records, self.now)

    def attest(self, topic: Topic, subject: str, proofs: Sequence[Proof], by: str) -> tuple[Attestation, ...]:
        """Append what was proven, all of it or nothing, and return it. Raise `StateError` if it cannot be."""
        host = self.config.host or os.uname().nodename
        records = [
            Attestation(
                id=f"{self.now:%Y%m%dT%H%M%SZ}-{os.urandom(4).hex()}",
                topic=topic.name,
                subject=subject,
                level=proof.level,
                repository_id=(proof.key.id or None) if proof.key else None,
                bound_to=(proof.key.fingerprint or None) if proof.key else None,
                statement=proof.statement,
                who=by,
                host=host,
                at=self.now,
                valid_until=self.now + topic.longest,
                versions={"bkp": __version__},
                previous=GENESIS,
            )
            for proof in proofs
        ]
        return append_attestations(self.path, records)
