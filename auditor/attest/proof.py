"""Evidence that a copy is the thing in use: what was compared, how far that goes, and what was found instead."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bkp.attestations.duties import LiveKey
from bkp.attestations.model import LEVELS
from bkp.errors import RefutedError, UsageError
from bkp.key_match import Match, compare
from bkp.state.audits import newest_kept
from bkp.tools.borg import commands
from bkp.tools.borg.client import Borg, BorgError
from bkp.tools.borg.outcome import Problem
from bkp.tools.zfs.keys import fits
from bkp.words import words

if TYPE_CHECKING:
    from auditor.attest.site import Site
    from bkp.attestations.model import Level
    from bkp.key_export import ExportedKey
    from bkp.secrets import Secret

LEAST_DIGITS = 12
_LOCK_WAIT_SECONDS = 20.0


@dataclass(frozen=True)
class Proof:
    """What is proven of one thing: how far, for which key, and in which words it goes on record.

    `remark` is what else the person should know, such as that borg does not take the copy as it is.
    """

    level: Level
    key: LiveKey | None
    target: str | None
    statement: str
    remark: str = ""


def carried(wanted: Level | None, most: Level, how: str) -> Level:
    """Return the level to attest: the wanted one, else the most that the evidence carries. Raise `UsageError`."""
    if wanted is None:
        return most
    if LEVELS.index(wanted) > LEVELS.index(most):
        raise UsageError(f"--level {wanted}: this evidence carries {most} at most", remedy=how)
    return wanted


def _meant(site: Site, target: str | None) -> list[str]:
    """Return the repositories that are meant; raise `UsageError` where there is none that has a key."""
    names = site.repositories(target)
    if not names:
        raise UsageError(
            "no repository has a key", remedy="see repositories.….encryption: with `none` nothing is to keep"
        )
    return names


def of_export(site: Site, place: str, key: ExportedKey, target: str | None) -> Proof:
    """Compare an export with the key in use. Raise `RefutedError` where it is another one."""
    names = _meant(site, target)
    named = [name for name in names if site.live(name).id.startswith(key.repository_id)]
    found = (named or names)[0]
    live = site.live(found)
    compared = compare(key, live, found, site.seen(found))
    if compared.match is not Match.SAME:
        raise RefutedError(f"the export at {place} {compared.sentence}", remedy=compared.remedy)
    statement = f"Compared the {key.form} export at {place} with the key in use: {key.short}"
    remark = "" if key.usable else f"the same key, but usable as it is? {key.usability}"
    return Proof("matched", live, found, statement, remark)


def of_digits(site: Site, place: str, digits: str, target: str | None) -> Proof:
    """Compare the digits of a fingerprint that were read at a location. Raise `RefutedError` where they are others."""
    found = re.sub(r"[\s:-]", "", digits).lower()
    if not re.fullmatch(rf"[0-9a-f]{{{LEAST_DIGITS},64}}", found):
        remedy = "as `bkp-audit fingerprint` says them, or the last two groups before the dash on a paper key's id line"
        raise UsageError(f"--fingerprint: wanted at least {LEAST_DIGITS} digits of 0-9 and a-f", remedy=remedy)
    names = _meant(site, target)
    for name in names:
        if site.live(name).fingerprint.startswith(found):
            statement = f"Compared the fingerprint of the export at {place} with the key in use: {_grouped(found)}"
            return Proof("matched", site.live(name), name, statement)
    for name in names:
        if old := next((each for each in site.seen(name) if each.fingerprint.startswith(found)), None):
            raise RefutedError(
                f"{_grouped(found)} is the key of {name} as it was until {old.until:%Y-%m-%d}: the export at {place} is"
                " outdated, and opens with the passphrase of its day only",
                remedy=f"replace it by the present key: `bkp-run export-key --target {name}` writes it",
            )
    now = ", ".join(f"{name}: {_grouped(site.live(name).fingerprint)}" for name in names)
    raise RefutedError(
        f"{_grouped(found)} is the fingerprint of no key in use ({now})",
        remedy="see whether it is the right file; `bkp-run export-key` writes the present key",
    )


def _grouped(digits: str) -> str:
    return f"{digits[:6]} {digits[6:12]}"


def of_word(site: Site, target: str | None, statement: str, *, keyed: bool) -> list[Proof]:
    """Take a person's word that something was seen; for keys that of each repository that is meant."""
    if not words(statement):
        remedy = "say it with --statement 'TEXT': nothing else stands behind level seen"
        raise UsageError("what was seen?", remedy=remedy)
    if not keyed:
        return [Proof("seen", None, None, statement)]
    return [Proof("seen", site.live(name), name, statement) for name in _meant(site, target)]


def of_report(site: Site, statement: str) -> list[Proof]:
    """Take a person's word that the newest kept report was read. Raise `UsageError` where there is none to read."""
    newest = newest_kept(site.state)
    if newest is None:
        raise UsageError("no report of an audit is kept here: there is none to read", remedy="call `bkp-audit --keep`")
    which = f"report {newest.number} of {newest.at:%Y-%m-%d}"
    (proof,) = of_word(site, None, statement, keyed=False)
    return [replace(proof, key=LiveKey("", newest.digest), statement=f"{proof.statement} ({which})")]


def of_replica_site(site: Site, target: str | None, statement: str) -> list[Proof]:
    """Take a person's word of where replicas are; for each replication that is meant."""
    known = site.config.replications
    if not known:
        raise UsageError("no replication is configured", remedy="see replications in the configuration")
    if target is not None and target not in known:
        raise UsageError(f"no replication {target!r}", remedy=f"configured: {', '.join(known)}")
    (proof,) = of_word(site, None, statement, keyed=False)
    meant = [target] if target is not None else list(known)
    return [replace(proof, key=LiveKey(known[name].source, ""), target=name) for name in meant]


def of_passphrase(site: Site, place: str, passphrase: Secret, target: str | None) -> Proof:
    """Open the repository with a passphrase. Raise `RefutedError` where it does not open.

    Neither it nor anything that it could be guessed by is kept.
    """
    names = _meant(site, target)
    if len(names) != 1:
        raise UsageError("several repositories are configured", remedy=f"name one: --target {names[0]}")
    name = names[0]
    repository = site.config.repositories[name]
    question = commands.list_archives(repository, lock_wait=_LOCK_WAIT_SECONDS)
    reply = Borg(repository, passphrase, timeout=120.0).call((*question, "--bypass-lock"))
    if reply.judgement.problem is Problem.PASSPHRASE:
        raise RefutedError(
            f"the passphrase at {place} does not open {name}",
            remedy="replace it by the present one; was it typed as it is written, with the right keyboard?",
        )
    if not reply.ok:
        raise BorgError(reply)
    return Proof("matched", site.live(name), name, f"The passphrase at {place} opened {name}")


def of_zfs_key(site: Site, place: str, copy: bytes, target: str | None) -> Proof:
    """Try a key on an encryption root without loading it. Raise `RefutedError` where it does not fit."""
    keys = site.zfs_keys
    if not keys:
        raise UsageError(
            "nothing of the backup lies on an encrypted dataset", remedy="then there is no ZFS key to keep"
        )
    if target is not None and target not in keys:
        raise UsageError(f"no encryption root {target!r} of the backup", remedy=f"there are: {', '.join(keys)}")
    if target is None and len(keys) > 1:
        raise UsageError("there are several encryption roots", remedy=f"name one: --target {next(iter(keys))}")
    key = keys[target or next(iter(keys))]
    if not fits(site.zfs, key, copy):
        raise RefutedError(
            f"the ZFS key at {place} is not the key of {key.root}",
            remedy="replace it by the present one: after `zfs change-key` every copy is outdated",
        )
    live = LiveKey(key.guid, key.fingerprint_with(copy))
    return Proof("matched", live, key.root, f"The {key.form} key at {place} fits {key.root} (zfs load-key -n)")
