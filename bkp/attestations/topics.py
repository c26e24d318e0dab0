"""What can be attested: the word that a person types, the topic in the file, and how far evidence of it can go.

Rules ask for topics (`auditor`), concerns and metrics for those that a location is to hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

Item = Literal["key", "passphrase", "zfs-key", "runbook"]


@dataclass(frozen=True)
class Topic:
    """One kind of thing.

    `item` is what a location of `audit.escrow` must be set to hold; None where the subject is no such location.
    `least` is the level that counts. `longest` is how long an attestation of it can hold. `given` is what `bkp-audit
    attest` wants besides: empty where it asks.
    """

    word: str
    name: str
    title: str
    item: Item | None
    least: Literal["seen", "matched"]
    longest: timedelta
    given: str = ""


_YEAR = timedelta(days=365)
KEY = Topic("key", "borg-key", "the key", "key", "matched", _YEAR, "--file COPY")
PASSPHRASE = Topic("passphrase", "borg-passphrase", "the passphrase", "passphrase", "matched", _YEAR)
ZFS_KEY = Topic("zfs-key", "zfs-key", "the ZFS key", "zfs-key", "matched", _YEAR)
RUNBOOK = Topic("runbook", "recovery-runbook", "the recovery runbook", "runbook", "seen", _YEAR, "--statement TEXT")
OLD_EXPORTS = Topic("old-exports", "old-exports-destroyed", "no older export of the key", "key", "seen", 100 * _YEAR)
RECOVERY = Topic("recovery", "recovery-drill", "a recovery without this server", None, "seen", _YEAR)
REPORT = Topic("report", "report-read", "the audit's report, read", None, "seen", _YEAR)
REPLICA_SITE = Topic("replica-site", "replica-site", "the replica's site", None, "seen", _YEAR)
