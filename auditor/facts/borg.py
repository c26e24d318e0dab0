"""Facts of borg.repo.* and of retention.*: asked of the real borg, every question with a limit and side by side."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.facts.history import SOURCE as HISTORY
from auditor.facts.history import doubt
from auditor.facts.nights import nights_missing, periods_held
from auditor.facts.passphrase import strength
from auditor.facts.side_by_side import Probe
from bkp.archive_names import good_ones
from bkp.errors import BkpError, SecretFileError
from bkp.jobs import NIGHTLY
from bkp.key_export import MAX_BYTES, parse_key_export
from bkp.listings import missed
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
    from bkp.config.model import Config
    from bkp.config.repositories import Repository
    from bkp.survey import Survey

LOCK_WAIT_SECONDS = 20.0
TIMEOUT_SECONDS = 60.0

_KEY_SOURCE = "borg key export, decoded and hashed"
_UNUSABLE = "the passphrase file cannot be used; `bkp-run config check` says why"
_OF_CONFIGURATION = (
    "name",
    "configured_encryption",
    "passphrase_strength",
    "key_export_fingerprint",
    "key_export_repository_id",
    "key_export_usable",
)
_LISTED = ("id", "encryption", "archives", "newest_archive_at")


@dataclass
class Answers:
    """What several facts need of the repositories that answered: their lists of archives, the ids in their keys."""

    listings: dict[str, Listing] = field(default_factory=dict)
    key_ids: dict[str, str] = field(default_factory=dict)


def probes(config: Config, answers: Answers, say: Callable[[str], None]) -> list[Probe]:
    """Return what is asked of every repository, each question by itself. `answers` gets those that come."""
    found = []
    for name, repository in config.repositories.items():
        found += [
            _probe(name, partial(_configured, name=name, repository=repository), _OF_CONFIGURATION),
            _probe(
                name, partial(_listed, name=name, repository=repository, answers=answers, say=say), ("opens", *_LISTED)
            ),
            _probe(name, partial(_empty_passphrase, repository=repository), ("empty_passphrase_refused",)),
            _probe(name, partial(_live_key, name=name, repository=repository, answers=answers), ("key_fingerprint",)),
        ]
    return found


def _probe(name: str, ask: Callable[[FactGroup], None], fields: tuple[str, ...]) -> Probe:
    def late(builder: FactBuilder, reason: str) -> None:
        lacking = tuple(each for each in fields if f"borg.repo.{name}.{each}" not in builder.facts)
        if lacking:
            builder.of("borg.repo", name).fail("borg", reason, lacking)

    return Probe(lambda builder: ask(builder.of("borg.repo", name)), late)


def conclude(builder: FactBuilder, config: Config, zone: tzinfo, answers: Answers, seen: Survey) -> None:
    """Add what follows from several answers: retention.*, and the id of a repository that only its key told."""
    for name in config.repositories:
        listing, key_id = answers.listings.get(name), answers.key_ids.get(name)
        if listing is None and key_id is not None:  # the header names the repository even if it cannot be opened
            builder.of("borg.repo", name).add(_KEY_SOURCE, {"id": key_id})
        _key_history(builder, name, seen)
        _retention(builder, config, zone, name, listing, seen)


def _key_history(builder: FactBuilder, name: str, seen: Survey) -> None:
    facts = builder.of("borg.repo", name)
    if (reason := doubt(seen)) is not None:
        facts.fail(HISTORY, reason, ("key_replaced",))
    else:
        facts.add(HISTORY, {"key_replaced": len(seen.past.keys.get(name, ())) > 1})


def _configured(facts: FactGroup, *, name: str, repository: Repository) -> None:
    """Add what needs no borg: the configuration, the passphrase's strength, the exported key."""
    values = {"name": name, "configured_encryption": str(repository.encryption)}
    facts.add(f"the configuration, repositories.{name}", values)
    _exported_key(facts, name, repository)
    source = f"repositories.{name}.passphrase_file, estimated by zxcvbn"
    try:
        secret = passphrase_of(repository)
    except BkpError:
        facts.fail(source, _UNUSABLE, ("passphrase_strength",))
        return
    digits = strength(secret, (name, *_words(repository))) if secret is not None else None
    facts.add(source, {"passphrase_strength": digits})


def _words(repository: Repository) -> tuple[str, ...]:
    """Return the words of the host that somebody who guesses would try first."""
    return tuple({*repository.path.replace("@", "/").replace(":", "/").split("/"), repository.prefix} - {""})


def _listed(
    facts: FactGroup, *, name: str, repository: Repository, answers: Answers, say: Callable[[str], None]
) -> None:
    say(f"{name}: borg list")
    listing = _list(facts, name, repository)
    if listing is not None:
        answers.listings[name] = listing


def _borg(repository: Repository, passphrase: Secret | None) -> Borg:
    # Every night has borg test its own code; what only lists and reads keys need not, three times an audit.
    return Borg(
        repository,
        passphrase,
        lock_wait=LOCK_WAIT_SECONDS,
        timeout=TIMEOUT_SECONDS,
        environment={"BORG_SELFTEST": "disabled"},
    )


def _list(facts: FactGroup, name: str, repository: Repository) -> Listing | None:
    source = "borg list"
    try:
        listing = _borg(repository, passphrase_of(repository)).list_archives()
    except SecretFileError:
        facts.fail(f"repositories.{name}.passphrase_file", _UNUSABLE, ("opens", *_LISTED))
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
        "archives": len(_counted(repository, listing, facts.now)),
        "newest_archive_at": max(_counted(repository, listing, facts.now), default=None),
    }
    facts.add(source, values)
    return listing


def _empty_passphrase(facts: FactGroup, repository: Repository) -> None:
    source, refused = "borg list with an empty passphrase", "empty_passphrase_refused"
    try:
        question = commands.list_archives(repository, lock_wait=LOCK_WAIT_SECONDS)
        # It runs beside the other questions, and is refused before it reads: a lock would only make them wait.
        reply = _borg(repository, Secret("")).call((*question, "--bypass-lock"))
    except BkpError as exc:
        facts.fail(source, exc.message, (refused,))
        return
    if reply.ok or reply.judgement.problem is Problem.PASSPHRASE:
        facts.add(source, {refused: not reply.ok})
    else:
        facts.fail(source, reply.judgement.reason or "borg failed for another reason", (refused,))


def _live_key(facts: FactGroup, *, name: str, repository: Repository, answers: Answers) -> None:
    try:
        key = parse_key_export(_borg(repository, None).key_export())
    except (BkpError, ValueError) as exc:
        reason = exc.message if isinstance(exc, BkpError) else f"what borg exported {exc}"
        facts.fail(_KEY_SOURCE, reason, ("key_fingerprint",))
        return
    facts.add(_KEY_SOURCE, {"key_fingerprint": key.fingerprint})
    answers.key_ids[name] = key.repository_id


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


def _counted(repository: Repository, listing: Listing, now: datetime) -> list[datetime]:
    """Return the starts of the archives that retention counts, oldest first. One of the future proves nothing."""
    good = good_ones(listing.archives, repository.prefix)
    return [each.started_at for each in good if each.started_at <= now]


def _retention(
    builder: FactBuilder, config: Config, zone: tzinfo, name: str, listing: Listing | None, seen: Survey
) -> None:
    facts, repository = builder.of("retention", name), config.repositories[name]
    if listing is None:
        facts.fail("borg list", "the repository could not be listed")
        return
    starts, job = _counted(repository, listing, builder.now), config.job(NIGHTLY.name)
    missing = nights_missing(starts, job.schedule, job.grace, repository.keep.daily, builder.now, zone)
    facts.add(f"borg list, against jobs.{NIGHTLY.name}.schedule", {"nights_missing": missing})
    facts.add("borg list", {"archives": len(starts), **periods_held(starts, zone)})
    if (reason := doubt(seen)) is not None:
        facts.fail(HISTORY, reason, ("begun_at", "gone"))
        return
    recorded, listed = seen.past.archives.get(name), seen.past.listed.get(name)
    begun = [*starts[:1], *([recorded[0].started_at] if recorded else [])]
    source = f"borg list, against {HISTORY}"
    facts.add(source, {"begun_at": min(begun, default=None)})
    if listed is None:
        facts.fail(source, "no run has recorded yet what the repository lists", ("gone",))
    else:
        facts.add(source, {"gone": tuple(missed(listed, listing.archives, builder.now))})
