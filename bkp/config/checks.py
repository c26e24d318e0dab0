"""What no single value shows: whether the parts of a configuration fit together, and mean something to borg."""

from __future__ import annotations

import os.path
from datetime import timedelta
from typing import TYPE_CHECKING

from bkp.calendar import EARLIEST_YEAR, LATEST_YEAR
from bkp.config.model import INCOMPLETE
from bkp.config.places import archived, misunderstood, place_of
from bkp.errors import ConfigError
from bkp.patterns import excluder

if TYPE_CHECKING:
    from datetime import datetime

    from bkp.config.model import Config, Source
    from bkp.yamlfile.loader import Document

SHORTEST_LOG_KEEP = timedelta(days=7)


def check(document: Document, config: Config) -> None:
    """Raise `ConfigError` with its place for the first thing about the configuration that cannot work."""
    if not config.repositories:
        raise document.error(("repositories",), "no repository is configured", error=ConfigError)
    _check_paths(document, config)
    _check_prefixes(document, config)
    used: set[str] = set()
    for name, repository in config.repositories.items():
        for index, named in enumerate(repository.sources):
            if named in repository.sources[:index]:
                raise document.error(
                    ("repositories", name, "sources", index),
                    f"repositories.{name}.sources names {named!r} twice",
                    remedy="remove one of them",
                    error=ConfigError,
                )
            if named not in config.sources:
                known = ", ".join(config.sources) or "none"
                raise document.error(
                    ("repositories", name, "sources", index),
                    f"repositories.{name}.sources names {named!r}, which is not below sources",
                    remedy=f"known sources: {known}",
                    error=ConfigError,
                )
            used.add(named)
        _check_together(document, config, name)
    for name, source in config.sources.items():
        _check_excludes(document, name, source)
        _check_own_folders(document, config, name, source)
        if name not in used:  # a tree that someone believes to be backed up, and is not
            raise document.error(
                ("sources", name),
                f"source {name!r} is in no repository: it would never be backed up",
                at_key=True,
                remedy="add it to the sources of a repository, or remove it",
                error=ConfigError,
            )
    if config.log_keep < SHORTEST_LOG_KEEP:
        raise document.error(
            ("log_keep",),
            f"log_keep: found {config.log_keep}, wanted at least {SHORTEST_LOG_KEEP.days}d: "
            "a run of several days still writes its log",
            remedy="keep logs for longer: they are small",
            error=ConfigError,
        )
    if config.mail.to is None and config.mail.when != "never":
        raise document.error(
            ("mail",),
            "mail.to is missing: nobody would hear of a night that failed",
            remedy="set mail.to to the address of whoever reads the reports, or mail.when: never",
            error=ConfigError,
        )


def check_schedules(document: Document, config: Config, now: datetime) -> None:
    """Raise `ConfigError` for a schedule that elapses no more after `now` (in the host's zone): nothing would run."""
    if not EARLIEST_YEAR < now.year < LATEST_YEAR:  # a clock that is not set yet: every schedule would seem to be over
        return
    planned = [(("jobs", name, "schedule"), job.schedule) for name, job in config.jobs.items()]
    for path, schedule in (*planned, (("audit", "schedule"), config.audit.schedule)):
        if schedule is not None and now.tzinfo is not None and schedule.next_after(now, now.tzinfo) is None:
            raise document.error(
                path,
                f"{'.'.join(path)}: {str(schedule)!r} lies in the past and never elapses again",
                remedy="leave out the year, or write null for what is run by hand only",
                error=ConfigError,
            )


def _check_excludes(document: Document, name: str, source: Source) -> None:
    """Refuse a pattern that borg would refuse every night."""
    for index, pattern in enumerate(source.exclude):
        try:
            excluder((pattern,))
        except ValueError as exc:
            raise document.error(
                ("sources", name, "exclude", index),
                f"sources.{name}.exclude[{index}]: {exc}",
                remedy="correct it (borg-patterns(1)), or take another style: sh:, fm:, pp: or re:",
                error=ConfigError,
            ) from None


def _check_own_folders(document: Document, config: Config, name: str, source: Source) -> None:
    """Refuse a directory that bkp's own folders lie in: they change while they are read, and hold what was restored.

    A dataset is judged when it is snapshotted: where it is mounted is known only then.
    """
    paths = config.paths
    own = {"state": paths.state, "log": paths.log, "lock": paths.lock}
    own |= {"scratch": paths.scratch} if paths.scratch else {}
    inside = {
        key: os.path.normpath(path)
        for key, path in own.items()
        if source.path is not None and archived(path, source.path, source.exclude)
    }
    if inside:
        named = ", ".join(f"paths.{key} ({path})" for key, path in inside.items())
        patterns = ", ".join(f'"pp:{path}"' for path in inside.values())
        raise document.error(
            ("sources", name, "path"),
            f"sources.{name}.path: {source.path} holds {named}, bkp's own files, which must not be archived with it",
            remedy=f"exclude: [{patterns}], or move them",
            error=ConfigError,
        )


def _check_paths(document: Document, config: Config) -> None:
    """Refuse paths of repositories that borg would take for something else."""
    for name, repository in config.repositories.items():
        if (found := misunderstood(repository.path)) is not None:
            why, remedy = found
            raise document.error(
                ("repositories", name, "path"),
                f"repositories.{name}.path: found {repository.path!r}: {why}",
                remedy=remedy,
                error=ConfigError,
            )


def _check_prefixes(document: Document, config: Config) -> None:
    """Refuse archives that prune, which selects by repository and prefix, could not tell apart."""
    seen: dict[tuple[str, str], str] = {}
    for name, repository in config.repositories.items():
        if INCOMPLETE.startswith(f"{repository.archive_prefix}-"):
            raise document.error(
                ("repositories", name, "archive_prefix"),
                f"repositories.{name}.archive_prefix: {repository.archive_prefix!r} is what incomplete archives are "
                "named: they would be taken for good ones",
                remedy="take another word, such as backup",
                error=ConfigError,
            )
        other = seen.setdefault((place_of(repository.path), repository.archive_prefix), name)
        if other != name:
            raise document.error(
                ("repositories", name),
                f"repositories.{name} and repositories.{other} have the same path and archive_prefix: "
                "each would prune the other's archives",
                at_key=True,
                remedy="give each an archive_prefix of its own",
                error=ConfigError,
            )


def _check_together(document: Document, config: Config, name: str) -> None:
    """Refuse sources that one archive cannot hold together: borg has one switch, a dataset one snapshot a run."""
    names = config.repositories[name].sources
    sources = {each: config.sources[each] for each in names}
    odd = next((each for each in names if sources[each].one_file_system != sources[names[0]].one_file_system), None)
    if odd is not None:
        raise document.error(
            ("repositories", name, "sources"),
            f"sources {names[0]!r} and {odd!r} of repositories.{name} differ in one_file_system: "
            "borg knows one setting for all of an archive",
            remedy="give both the same setting (a dataset is always true), or each a repository entry of its own",
            error=ConfigError,
        )
    places: dict[str, str] = {}
    for each in names:
        path = sources[each].path
        if path is not None and (other := places.setdefault(os.path.normpath(path), each)) != each:
            raise document.error(
                ("repositories", name, "sources"),
                f"sources {other!r} and {each!r} of repositories.{name} have the same path: whose excludes count there "
                "could not be told",
                remedy=f"remove {each!r}",
                error=ConfigError,
            )
    datasets = {each: dataset for each in names if (dataset := sources[each].dataset)}
    for inner, dataset in datasets.items():
        outer = next(
            (each for each in datasets if each != inner and f"{dataset}/".startswith(f"{datasets[each]}/")), None
        )
        if outer is not None:
            raise document.error(
                ("repositories", name, "sources"),
                f"sources {inner!r} and {outer!r} of repositories.{name} overlap: {dataset} lies in {datasets[outer]}, "
                "whose snapshot takes its children along",
                remedy=f"remove {inner!r}",
                error=ConfigError,
            )
