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
    from datetime import tzinfo

    from auditor.facts.builder import FactBuilder
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
    values = {"name": name, "configured_encryption": str(repository.encryption)}
    builder.add("borg.repo", name, f"the configuration, repositories.{name}", values)
    say(f"{name}: borg list")
    listing = _list(builder, name, repository)
    say(f"{name}: borg list with an empty passphrase")
    _empty_passphrase(builder, name, repository)
    say(f"{name}: borg key export")
    _live_key(builder, name, repository)
    _exported_key(builder, name, repository)
    return listing


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


def _empty_passphrase(builder: FactBuilder, name: str, repository: Repository) -> None:
    source = "borg list with an empty passphrase"
    field = "empty_passphrase_refused"
    try:
        reply = _borg(repository, Secret("")).call(commands.list_archives(repository, lock_wait=LOCK_WAIT_SECONDS))
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


def _live_key(builder: FactBuilder, name: str, repository: Repository) -> None:
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
    fact = builder.facts.get(f"borg.repo.{name}.id")
    if fact is not None and fact.error is not None:  # the header names the repository even if it cannot be opened
        builder.add("borg.repo", name, source, {"id": key.repository_id})


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
