"""Whether an exported key is the one that a repository has now, and if not, what it is. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bkp.attestations.duties import LiveKey
    from bkp.key_export import ExportedKey
    from bkp.past import KeySeen


class Match(Enum):
    """What an export is to a repository."""

    SAME = "same"
    OUTDATED = "outdated"
    FORMER = "former"
    FOREIGN = "foreign"


@dataclass(frozen=True)
class Compared:
    """What an export is, the sentence that says so, and what to do about it."""

    match: Match
    sentence: str
    remedy: str


def compare(key: ExportedKey, live: LiveKey, target: str, seen: Sequence[KeySeen]) -> Compared:
    """Return what `key` is to the repository `target`; `seen` are the keys that earlier runs found in it."""
    if not live.id.startswith(key.repository_id):
        return _of_another(key, live, target, seen)
    if key.fingerprint == live.fingerprint:
        return Compared(Match.SAME, f"is the key of {target}: {key.short}", "")
    known = next((each for each in reversed(seen) if each.fingerprint == key.fingerprint), None)
    when = f"as it was until {known.until:%Y-%m-%d}" if known else "from before a change, or damaged"
    return Compared(
        Match.OUTDATED,
        f"is a key of {target}, but not the one in use ({key.short}, which is {_grouped(live.fingerprint)} now): it is"
        f" the key {when}. It opens with the passphrase of its day only",
        f"replace it by the present key: `bkp-run export-key --target {target}` writes it",
    )


def _of_another(key: ExportedKey, live: LiveKey, target: str, seen: Sequence[KeySeen]) -> Compared:
    former = next((each for each in reversed(seen) if each.id.startswith(key.repository_id)), None)
    if former is not None:
        return Compared(
            Match.FORMER,
            f"is the key of the repository that was {target} until {former.until:%Y-%m-%d}"
            f" (id {key.repository_id[:12]}…); {target} is another one now (id {live.id[:12]}…)",
            "keep it while a copy of that repository exists, and store the present key beside it:"
            f" `bkp-run export-key --target {target}` writes it",
        )
    return Compared(
        Match.FOREIGN,
        f"is the key of another repository (id {key.repository_id[:12]}…); {target} has the id {live.id[:12]}…",
        "see whether it is the right file; copies of other repositories open nothing here",
    )


def _grouped(fingerprint: str) -> str:
    return f"{fingerprint[:6]} {fingerprint[6:12]}"
