"""Configuration file to `Config`: strict, with one error that says file, line, key, found and wanted."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from bkp.config.model import Config
from bkp.config.values import decode_value
from bkp.errors import ConfigError
from bkp.yamlfile.loader import MAX_BYTES, Document, load_yaml
from bkp.yamlfile.typed import as_mapping, convert

DEFAULT_PATH = Path("/etc/bkp/config.yml")


def load_config(path: Path = DEFAULT_PATH) -> Config:
    """Return the configuration in `path`.

    Raises:
        ConfigError: anything about it is not as it should be (exit code 2).
    """
    return parse_config(_read(path), str(path))


def parse_config(content: bytes | str, source: str = "config.yml") -> Config:
    """Return the configuration in `content`; `source` names it in errors."""
    document = load_yaml(content, source, error=ConfigError)
    as_mapping(document, error=ConfigError)
    config = convert(document, Config, decode_value, error=ConfigError)
    _check_references(document, config)
    return config


def _read(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as handle:
            if not stat.S_ISREG(os.fstat(handle.fileno()).st_mode):
                raise ConfigError(str(path), None, "not a regular file")
            return handle.read(MAX_BYTES + 1)
    except FileNotFoundError:
        remedy = "write one (`bkp-run config example` prints a commented one) or name it with --config"
        raise ConfigError(str(path), None, "no such configuration file", remedy=remedy) from None
    except IsADirectoryError:
        raise ConfigError(str(path), None, "is a directory, not a file") from None
    except OSError as exc:
        raise ConfigError(str(path), None, f"cannot be read: {exc.strerror}", remedy="check its permissions") from None


def _check_references(document: Document, config: Config) -> None:
    if not config.repositories:
        raise document.error(("repositories",), "no repository is configured", error=ConfigError)
    _check_prefixes(document, config)
    used: set[str] = set()
    for name, repository in config.repositories.items():
        for index, source in enumerate(repository.sources):
            if source in repository.sources[:index]:
                raise document.error(
                    ("repositories", name, "sources", index),
                    f"repositories.{name}.sources names {source!r} twice",
                    remedy="remove one of them",
                    error=ConfigError,
                )
            if source not in config.sources:
                known = ", ".join(config.sources) or "none"
                raise document.error(
                    ("repositories", name, "sources", index),
                    f"repositories.{name}.sources names {source!r}, which is not below sources",
                    remedy=f"known sources: {known}",
                    error=ConfigError,
                )
            used.add(source)
        _check_together(document, config, name)
    for name in config.sources:
        if name not in used:  # a tree that someone believes to be backed up, and is not
            raise document.error(
                ("sources", name),
                f"source {name!r} is in no repository: it would never be backed up",
                at_key=True,
                remedy="add it to the sources of a repository, or remove it",
                error=ConfigError,
            )


def _check_prefixes(document: Document, config: Config) -> None:
    """Refuse two entries whose archives borg could not tell apart: prune selects them by repository and prefix."""
    seen: dict[tuple[str, str], str] = {}
    for name, repository in config.repositories.items():
        other = seen.setdefault((repository.path.rstrip("/"), repository.archive_prefix), name)
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
