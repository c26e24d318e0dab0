"""Facts of borg.repo.* and of retention.*: asked of the real borg, with time-outs, one repository a thread."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.facts.key import MAX_BYTES, parse_key_export
from auditor.facts.nights import nights_missing
from bkp.errors import BkpError, SecretFileError
from bkp.jobs import NIGHTLY
from bkp.secrets import Secret
from bkp.state.files import read_bytes
from bkp.state.reading import Missing, Unreadable
from bkp.tools.borg import commands
from bkp.tools.borg.client import Borg, BorgError, Listing, passphrase_of
from bkp.tools.borg.outcome import Problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, tzinfo

    from auditor.facts.builder import FactBuilder, FactGroup
    from bkp.config.model import Config, Repository

LOCK_WAIT_SECONDS = 20.0
TIMEOUT_SECONDS = 120.0
MAX_PARALLEL = 4

_LISTED = ("id", "encryption", "archives", "newest_archive_at")


def collect_repositories(
    builder: FactBuilder, config: Config, zone: tzinfo, say: Callable[[str], None]
) -> dict[str, Listing]:
    """Add borg.repo.* of every repository; return the listings of those that could be listed."""
    from concurrent.futures import ThreadPoolExecutor

    def probe(item: tuple[str, Repository]) -> Listing | None:
        name, repository = item
        return _collect(builder, name, repository, say)

    with ThreadPoolExecutor(max_workers=MAX_PARALLEL) as pool:
        found = dict(zip(config.repositories, pool.map(probe, config.repositories.items()), strict=True))
    listings = {name: listing for name, listing in found.items() if listing is not None}
    for name, repository in config.repositories.items():
        _retention(builder, config, zone, name, repository, listings.get(name))
    return listings


def _collect(builder: FactBuilder, name: str, repository: Repository, say: Callable[[str], None]) -> Listing | None:
    facts = builder.of("borg.repo", name)
    values = {"name": name, "configured_encryption": str(repository.encryption)}
    facts.add(f"the configuration, repositories.{name}", values)
    say(f"{name}: borg list")
    listing = _list(facts, name, repository)
    say(f"{name}: borg list with an empty passphrase")
    _empty_passphrase(facts, repository)
    say(f"{name}: borg key export")
    _live_key(facts, repository, listed=listing is not None)
    _exported_key(facts, name, repository)
    return listing


def _borg(repository: Repository, passphrase: Secret | None) -> Borg:
    return Borg(repository, passphrase, lock_wait=LOCK_WAIT_SECONDS, timeout=TIMEOUT_SECONDS)


def _list(facts: FactGroup, name: str, repository: Repository) -> Listing | None:
    source = "borg list"
    try:
        listing = _borg(repository, passphrase_of(repository)).list_archives()
    except SecretFileError:
        reason = "the passphrase file cannot be used; `bkp-run config check` says why"
        facts.fail(f"repositories.{name}.passphrase_file", reason, ("opens", *_LISTED))
        return None
    except BkpError as exc:
        facts.fail(source, exc.message, ("opens", *_LISTED))
        if isinstance(exc, BorgError) and exc.problem is Problem.PASSPHRASE:
            facts.add(source, {"opens": False})
        return None
    values = {
        "id": listing.repository_id,
        "encryption": listing.encryption,
        "opens": True,
        "archives": len(_counted(repository, listing)),
        "newest_archive_at": max((archive.started_at for archive in listing.archives), default=None),
    }
    facts.add(source, values)
    return listing


def _empty_passphrase(facts: FactGroup, repository: Repository) -> None:
    source, field = "borg list with an empty passphrase", "empty_passphrase_refused"
    try:
        reply = _borg(repository, Secret("")).call(commands.list_archives(repository, lock_wait=LOCK_WAIT_SECONDS))
    except BkpError as exc:
        facts.fail(source, exc.message, (field,))
        return
    if reply.ok or reply.judgement.problem is Problem.PASSPHRASE:
        facts.add(source, {field: not reply.ok})
    else:
        facts.fail(source, reply.judgement.reason or "borg failed for another reason", (field,))


def _live_key(facts: FactGroup, repository: Repository, *, listed: bool) -> None:
    source = "borg key export, decoded and hashed"
    try:
        key = parse_key_export(_borg(repository, None).key_export())
    except (BkpError, ValueError) as exc:
        reason = exc.message if isinstance(exc, BkpError) else f"what borg exported {exc}"
        facts.fail(source, reason, ("key_fingerprint",))
        return
    facts.add(source, {"key_fingerprint": key.fingerprint})
    if not listed:  # the header names the repository even if it cannot be opened
        facts.add(source, {"id": key.repository_id})


def _exported_key(facts: FactGroup, name: str, repository: Repository) -> None:
    source = f"repositories.{name}.key_export, decoded and hashed"
    fields = ("key_export_fingerprint", "key_export_repository_id", "key_export_usable")
    absent = dict.fromkeys(fields)
    if repository.key_export is None:
        facts.add("no key export is configured", absent)
        return
    reading = read_bytes(Path(repository.key_export), MAX_BYTES)
    if isinstance(reading, Missing):
        facts.add("there is no file at the configured place", absent)
        return
    if isinstance(reading, Unreadable):
        facts.fail(source, f"the file {reading.reason}", fields)
        return
    try:
        key = parse_key_export(reading.value)
    except ValueError as exc:
        facts.add(f"the file {exc}", {**absent, "key_export_usable": False})
        return
    facts.add(source, dict(zip(fields, (key.fingerprint, key.repository_id, key.usable), strict=True)))


def _counted(repository: Repository, listing: Listing) -> list[datetime]:
    """Return the starts of the archives that retention counts, oldest first."""
    pattern = commands.archive_glob(repository)
    return sorted(archive.started_at for archive in listing.archives if fnmatchcase(archive.name, pattern))


def _retention(
    builder: FactBuilder, config: Config, zone: tzinfo, name: str, repository: Repository, listing: Listing | None
) -> None:
    facts = builder.of("retention", name)
    if listing is None:
        facts.fail("borg list", "the repository could not be listed")
        return
    starts, job = _counted(repository, listing), config.job(NIGHTLY.name)
    missing = nights_missing(starts, job.schedule, job.grace, repository.keep.daily, builder.now, zone)
    values = {"archives": len(starts), "nights_missing": missing}
    facts.add(f"borg list, against jobs.{NIGHTLY.name}.schedule", values)
