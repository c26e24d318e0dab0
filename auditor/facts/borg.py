"""Facts of borg.repo.* and of retention.*: asked of the real borg, every question with a limit and side by side."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.evidence import Fact
from auditor.facts.key import MAX_BYTES, parse_key_export
from auditor.facts.nights import nights_missing
from auditor.facts.passphrase import strength
from auditor.facts.side_by_side import Probe
from bkp.errors import BkpError, SecretFileError
from bkp.jobs import NIGHTLY
from bkp.secrets import Secret
from bkp.state.files import read_bytes
from bkp.state.reading import Missing, Unreadable
from bkp.tools.borg import commands
from bkp.tools.borg.client import Borg, BorgError, Listing, passphrase_of
from bkp.tools.borg.outcome import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import tzinfo

    from auditor.facts.builder import FactBuilder
    from bkp.config.model import Config, Repository

LOCK_WAIT_SECONDS = 20.0
TIMEOUT_SECONDS = 60.0

_KEY_ID = "the key's repository id: "  # no fact's name: taken away before anybody sees it
_OF_CONFIGURATION = (
    "name",
    "configured_encryption",
    "passphrase_strength",
    "key_export_fingerprint",
    "key_export_repository_id",
    "key_export_usable",
)
_LISTED = ("id", "encryption", "archives", "newest_archive_at")


def probes(config: Config, listings: dict[str, Listing], say: Callable[[str], None]) -> list[Probe]:
    """Return what is asked of every repository, each question by itself. `listings` gets those that answer in time."""
    found = []
    for name, repository in config.repositories.items():
        look = partial(_configured, name=name, repository=repository)
        found.append(Probe(look, partial(_late, name=name, fields=_OF_CONFIGURATION)))
        look = partial(_listed, name=name, repository=repository, listings=listings, say=say)
        found.append(Probe(look, partial(_late, name=name, fields=("opens", *_LISTED))))
        look = partial(_empty_passphrase, name=name, repository=repository)
        found.append(Probe(look, partial(_late, name=name, fields=("empty_passphrase_refused",))))
        look = partial(_live_key, name=name, repository=repository)
        found.append(Probe(look, partial(_late, name=name, fields=("key_fingerprint",))))
    return found


def _late(builder: FactBuilder, reason: str, *, name: str, fields: tuple[str, ...]) -> None:
    lacking = tuple(field for field in fields if f"borg.repo.{name}.{field}" not in builder.facts)
    if lacking:
        builder.fail("borg.repo", name, "borg", reason, lacking)


def conclude(builder: FactBuilder, config: Config, zone: tzinfo, listings: Mapping[str, Listing]) -> None:
    """Add what follows from several answers: retention.*, and the id of a repository that only its key told."""
    for name, repository in config.repositories.items():
        fact, key = builder.facts.get(f"borg.repo.{name}.id"), builder.facts.pop(f"{_KEY_ID}{name}", None)
        if key is not None and (fact is None or fact.error is not None):
            builder.facts[f"borg.repo.{name}.id"] = key
        _retention(builder, config, zone, name, repository, listings.get(name))


def _configured(builder: FactBuilder, *, name: str, repository: Repository) -> None:
    """Add what needs no borg: the configuration, the passphrase's strength, the exported key."""
    values = {"name": name, "configured_encryption": str(repository.encryption)}
    builder.add("borg.repo", name, f"the configuration, repositories.{name}", values)
    _exported_key(builder, name, repository)
    source = f"repositories.{name}.passphrase_file, estimated by zxcvbn"
    try:
        secret = passphrase_of(repository)
    except BkpError:
        reason = "the passphrase file cannot be used; `bkp-run config check` says why"
        builder.fail("borg.repo", name, source, reason, ("passphrase_strength",))
        return
    digits = strength(secret, (name, *_words(repository))) if secret is not None else None
    builder.add("borg.repo", name, source, {"passphrase_strength": digits})


def _words(repository: Repository) -> tuple[str, ...]:
    """Return the words of the host that somebody who guesses would try first."""
    return tuple({*repository.path.replace("@", "/").replace(":", "/").split("/"), repository.archive_prefix} - {""})


def _listed(
    builder: FactBuilder,
    *,
    name: str,
    repository: Repository,
    listings: dict[str, Listing],
    say: Callable[[str], None],
) -> None:
    say(f"{name}: borg list")
    listing = _list(builder, name, repository)
    if listing is not None:
        listings[name] = listing


def _borg(repository: Repository, passphrase: Secret | None) -> Borg:
    return Borg(repository, passphrase, lock_wait=LOCK_WAIT_SECONDS, timeout=TIMEOUT_SECONDS)


def _list(builder: FactBuilder, name: str, repository: Repository) -> Listing | None:
    source = "borg list"
    try:
        listing = _borg(repository, passphrase_of(repository)).list_archives()
    except BorgError as exc:
        if exc.problem is Problem.PASSPHRASE:
            builder.add("borg.repo", name, source, {"opens": False})
        else:
            builder.fail("borg.repo", name, source, exc.message, ("opens",))
        builder.fail("borg.repo", name, source, exc.message, _LISTED)
        return None
    except SecretFileError:
        reason = "the passphrase file cannot be used; `bkp-run config check` says why"
        builder.fail("borg.repo", name, f"repositories.{name}.passphrase_file", reason, ("opens", *_LISTED))
        return None
    except BkpError as exc:
        builder.fail("borg.repo", name, source, exc.message, ("opens", *_LISTED))
        return None
    newest = max((archive.started_at for archive in listing.archives), default=None)
    values = {
        "id": listing.repository_id,
        "encryption": listing.encryption,
        "opens": True,
        "archives": len(_counted(repository, listing)),
        "newest_archive_at": newest,
    }
    builder.add("borg.repo", name, source, values)
    return listing


def _empty_passphrase(builder: FactBuilder, *, name: str, repository: Repository) -> None:
    source = "borg list with an empty passphrase"
    field = "empty_passphrase_refused"
    try:
        question = commands.list_archives(repository, lock_wait=LOCK_WAIT_SECONDS)
        # It runs beside the other questions, and is refused before it reads: a lock would only make them wait.
        reply = _borg(repository, Secret("")).call((*question, "--bypass-lock"))
    except BkpError as exc:
        builder.fail("borg.repo", name, source, exc.message, (field,))
        return
    if reply.ok:
        builder.add("borg.repo", name, source, {field: False})
    elif reply.judgement.problem is Problem.PASSPHRASE:
        builder.add("borg.repo", name, source, {field: True})
    else:
        reason = reply.judgement.reason or "borg failed for another reason"
        builder.fail("borg.repo", name, source, reason, (field,))


def _live_key(builder: FactBuilder, *, name: str, repository: Repository) -> None:
    source = "borg key export, decoded and hashed"
    try:
        key = parse_key_export(_borg(repository, None).key_export())
    except BkpError as exc:
        builder.fail("borg.repo", name, source, exc.message, ("key_fingerprint",))
        return
    except ValueError as exc:
        builder.fail("borg.repo", name, source, f"what borg exported {exc}", ("key_fingerprint",))
        return
    builder.add("borg.repo", name, source, {"key_fingerprint": key.fingerprint})
    # The header names the repository even if it cannot be opened; whether that is wanted is known in the end.
    builder.facts[f"{_KEY_ID}{name}"] = Fact(key.repository_id, source, builder.now)


def _exported_key(builder: FactBuilder, name: str, repository: Repository) -> None:
    source = f"repositories.{name}.key_export, decoded and hashed"
    fields = ("key_export_fingerprint", "key_export_repository_id", "key_export_usable")
    absent = dict.fromkeys(fields)
    if repository.key_export is None:
        builder.add("borg.repo", name, "no key export is configured", absent)
        return
    reading = read_bytes(Path(repository.key_export), MAX_BYTES)
    if isinstance(reading, Missing):
        builder.add("borg.repo", name, "there is no file at the configured place", absent)
        return
    if isinstance(reading, Unreadable):
        builder.fail("borg.repo", name, source, f"the file {reading.reason}", fields)
        return
    try:
        key = parse_key_export(reading.value)
    except ValueError as exc:
        builder.add("borg.repo", name, f"the file {exc}", {**absent, "key_export_usable": False})
        return
    values = (key.fingerprint, key.repository_id, key.usable)
    builder.add("borg.repo", name, source, dict(zip(fields, values, strict=True)))


def _counted(repository: Repository, listing: Listing) -> list[str]:
    pattern = commands.archive_glob(repository)
    return [archive.name for archive in listing.archives if fnmatchcase(archive.name, pattern)]


def _retention(
    builder: FactBuilder, config: Config, zone: tzinfo, name: str, repository: Repository, listing: Listing | None
) -> None:
    if listing is None:
        builder.fail("retention", name, "borg list", "the repository could not be listed")
        return
    counted = set(_counted(repository, listing))
    starts = sorted(archive.started_at for archive in listing.archives if archive.name in counted)
    job = config.job(NIGHTLY.name)
    missing = nights_missing(starts, job.schedule, job.grace, repository.keep.daily, builder.now, zone)
    values = {"archives": len(starts), "nights_missing": missing}
    builder.add("retention", name, f"borg list, against jobs.{NIGHTLY.name}.schedule", values)
