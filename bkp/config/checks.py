"""Checks of the configuration as a whole: do its parts fit together, and does borg understand them?"""

from __future__ import annotations

import os.path
from datetime import timedelta
from typing import TYPE_CHECKING

from bkp.archive_names import SET_ASIDE
from bkp.calendar import EARLIEST_YEAR, LATEST_YEAR
from bkp.config.places import archived, misunderstood, place_of
from bkp.config.replica_checks import check_replications
from bkp.jobs import JOBS
from bkp.patterns import excluder

if TYPE_CHECKING:
    from datetime import datetime

    from bkp.config.model import Config
    from bkp.config.repositories import Source
    from bkp.yamlfile.loader import Document

SHORTEST_LOG_KEEP = timedelta(days=7)


def check(document: Document, config: Config) -> None:
    """Raise `ConfigError` with its place for the first thing about the configuration that cannot work."""
    if not config.repositories:
        raise document.error(("repositories",), "no repository is configured")
    _check_paths(document, config)
    _check_prefixes(document, config)
    used: set[str] = set()
    for name, repository in config.repositories.items():
        for index, named in enumerate(repository.sources):
            path, key = ("repositories", name, "sources", index), f"repositories.{name}.sources"
            if named in repository.sources[:index]:
                raise document.error(path, f"{key} names {named!r} twice", remedy="remove one of them")
            if named not in config.sources:
                remedy = f"known sources: {', '.join(config.sources) or 'none'}"
                raise document.error(path, f"{key} names {named!r}, which is not below sources", remedy=remedy)
            used.add(named)
        _check_together(document, config, name)
    for name, source in config.sources.items():
        _check_excludes(document, name, source)
        _check_own_folders(document, config, name, source)
        if name not in used:  # a tree that someone believes to be backed up, and is not
            message = f"source {name!r} is in no repository: it would never be backed up"
            remedy = "add it to the sources of a repository, or remove it"
            raise document.error(("sources", name), message, at_key=True, remedy=remedy)
    _check_disks(document, config)
    check_replications(document, config)
    if config.log_keep < SHORTEST_LOG_KEEP:
        message = f"log_keep: found {config.log_keep}, wanted at least {SHORTEST_LOG_KEEP.days}d"
        message += ": a run of several days still writes its log"
        raise document.error(("log_keep",), message, remedy="keep logs for longer: they are small")
    if config.mail.to is None and config.mail.when != "never":
        message = "mail.to is missing: nobody would hear of a night that failed"
        remedy = "set mail.to to the address of whoever reads the reports, or mail.when: never"
        raise document.error(("mail",), message, remedy=remedy)


def _check_disks(document: Document, config: Config) -> None:
    """Refuse disks that nobody configured, two names for one disk or pool, and a disk in two pools."""
    owners: dict[str, str] = {}
    names: dict[str, str] = {}
    for name, pool in config.pools.items():
        other = names.setdefault(config.zpool(name), name)
        if other != name:
            raise document.error(
                ("pools", name),
                f"pools.{name} and pools.{other} are the same ZFS pool {config.zpool(name)!r}",
                at_key=True,
                remedy="remove one of them",
            )
        for index, disk in enumerate(pool.disks):
            place = ("pools", name, "disks", index)
            if disk not in config.disks:
                known = ", ".join(config.disks) or "none"
                raise document.error(
                    place,
                    f"pools.{name}.disks names {disk!r}, which is not below disks",
                    remedy=f"known disks: {known}",
                )
            if disk in owners:
                raise document.error(
                    place,
                    f"disk {disk!r} is in pools.{owners[disk]} and in pools.{name}",
                    remedy="`zpool status` shows which pool it belongs to: remove it from the other",
                )
            owners[disk] = name
    paths: dict[str, str] = {}
    for name, settings in config.disks.items():
        other = paths.setdefault(settings.path, name)
        if other != name:
            raise document.error(
                ("disks", name, "path"),
                f"disks.{name} and disks.{other} are the same disk {settings.path}",
                remedy="remove one of them",
            )


def check_schedules(document: Document, config: Config, now: datetime) -> None:
    """Raise `ConfigError` for a schedule that elapses no more after `now` (in the host's zone): nothing would run."""
    if not EARLIEST_YEAR < now.year < LATEST_YEAR:  # a clock that is not set yet: every schedule would seem to be over
        return
    planned = [(("jobs", JOBS[name].key, "schedule"), job.schedule) for name, job in config.jobs.items()]
    for path, schedule in (*planned, (("audit", "schedule"), config.audit.schedule)):
        if schedule is not None and now.tzinfo is not None and schedule.next_after(now, now.tzinfo) is None:
            message = f"{'.'.join(path)}: {str(schedule)!r} lies in the past and never elapses again"
            remedy = "leave out the year, or write null for what is run by hand only"
            raise document.error(path, message, remedy=remedy)


def _check_excludes(document: Document, name: str, source: Source) -> None:
    """Refuse a pattern that borg would refuse every night."""
    for index, pattern in enumerate(source.exclude):
        try:
            excluder((pattern,))
        except ValueError as exc:
            message = f"sources.{name}.exclude[{index}]: {exc}"
            remedy = "correct it (borg-patterns(1)), or take another style: sh:, fm:, pp: or re:"
            raise document.error(("sources", name, "exclude", index), message, remedy=remedy) from None


def _check_own_folders(document: Document, config: Config, name: str, source: Source) -> None:
    """Refuse a directory that bkp's own folders lie in: they change while they are read, and hold what was restored.

    A dataset is judged when it is snapshotted: where it is mounted is known only then.
    """
    inside = {
        key: os.path.normpath(path)
        for key in ("state", "log", "lock", "scratch")
        if (path := getattr(config.paths, key)) and source.path and archived(path, source.path, source.exclude)
    }
    if inside:
        named = ", ".join(f"paths.{key} ({path})" for key, path in inside.items())
        patterns = ", ".join(f'"pp:{path}"' for path in inside.values())
        message = f"{source.path} holds {named}, bkp's own files, which must not be archived with it"
        remedy = f"exclude: [{patterns}], or move them"
        raise document.error(("sources", name, "path"), f"sources.{name}.path: {message}", remedy=remedy)


def _check_paths(document: Document, config: Config) -> None:
    """Refuse paths of repositories that borg would take for something else."""
    for name, repository in config.repositories.items():
        if (found := misunderstood(repository.path)) is not None:
            why, remedy = found
            message = f"repositories.{name}.path: found {repository.path!r}: {why}"
            raise document.error(("repositories", name, "path"), message, remedy=remedy)


def _check_prefixes(document: Document, config: Config) -> None:
    """Refuse archives that prune, which selects by repository and prefix, could not tell apart."""
    seen: dict[tuple[str, str], str] = {}
    for name, repository in config.repositories.items():
        prefix = repository.prefix
        if f"{prefix}-" in SET_ASIDE:
            message = f"repositories.{name}.archive_prefix: {prefix!r} is what archives are named that are set aside"
            message += ": they would be taken for good ones"
            remedy = "take another word, such as backup"
            raise document.error(("repositories", name, "archive_prefix"), message, remedy=remedy)
        other = seen.setdefault((place_of(repository.path), prefix), name)
        if other != name:
            message = f"repositories.{name} and repositories.{other} have the same path and archive_prefix"
            message += ": each would prune the other's archives"
            remedy = "give each an archive_prefix of its own"
            raise document.error(("repositories", name), message, at_key=True, remedy=remedy)


def _check_together(document: Document, config: Config, name: str) -> None:
    """Refuse sources that one archive cannot hold together: borg has one switch, a dataset one snapshot a run."""
    names = config.repositories[name].sources
    path = ("repositories", name, "sources")
    sources = {each: config.sources[each] for each in names}
    odd = next((each for each in names if sources[each].one_file_system != sources[names[0]].one_file_system), None)
    if odd is not None:
        message = f"sources {names[0]!r} and {odd!r} of repositories.{name} differ in one_file_system"
        message += ": borg knows one setting for all of an archive"
        remedy = "give both the same setting (a dataset is always true), or each a repository entry of its own"
        raise document.error(path, message, remedy=remedy)
    places: dict[str, str] = {}
    for each in names:
        own = sources[each].path
        if own is not None and (other := places.setdefault(os.path.normpath(own), each)) != each:
            message = f"sources {other!r} and {each!r} of repositories.{name} have the same path"
            message += ": whose excludes count there could not be told"
            raise document.error(path, message, remedy=f"remove {each!r}")
    datasets = {each: dataset for each in names if (dataset := sources[each].dataset)}
    for inner, dataset in datasets.items():
        for outer, above in datasets.items():
            if outer != inner and f"{dataset}/".startswith(f"{above}/"):
                message = f"sources {inner!r} and {outer!r} of repositories.{name} overlap"
                message += f": {dataset} lies in {above}, whose snapshot takes its children along"
                raise document.error(path, message, remedy=f"remove {inner!r}")
