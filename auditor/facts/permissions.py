"""Facts of file.* and dir.*: what the programs trust, and whether somebody else could change it.

What is looked at is planned first, so that what could not be looked at in time is an error and not missing. Sources
never name a path.
"""

from __future__ import annotations

import os
import stat
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.facts.hops import Route, has_acl, trusted, walk, weak_inside

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.facts.builder import FactBuilder, FactGroup
    from bkp.config.model import Config
    from bkp.config.replications import Replication
    from bkp.config.repositories import Repository

_KINDS = ((stat.S_ISREG, "regular file"), (stat.S_ISDIR, "folder"), (stat.S_ISLNK, "symbolic link"))
_WHOLE = {
    "repository": False,
    "state": True,
    "log": False,
    "scratch": False,
    "borg base": True,
    "rules": True,
    "program": False,
}
_UNITS = Path("/etc/systemd/system")


@dataclass(frozen=True)
class Place:
    """Something to look at. `follow`: it is judged by what a link leads to; `optional`: it need not be there."""

    space: str
    instance: str
    role: str
    path: Path
    what: str
    follow: bool = False
    optional: bool = False


def places(config: Config, config_path: Path, attestations: Path, rules: Path) -> list[Place]:
    """Return everything that the programs trust, as the configuration names it."""
    found = [Place("file", "config", "configuration", config_path, "the configuration file", follow=True)]
    programs = {config.mail.msmtp: "msmtp"} if config.mail.when != "never" else {}
    for name, repository in config.repositories.items():
        found += _of_repository(name, repository)
        programs.setdefault(repository.borg, f"{name}.borg" if "borg" in programs.values() else "borg")
    for name, replication in config.replications.items():
        found += _of_replication(name, replication)
        programs.setdefault(replication.syncoid, f"{name}.syncoid" if "syncoid" in programs.values() else "syncoid")
    programs[sys.executable] = "python"
    found += [
        Place("file", name, "program", Path(path), f"the program {name}", follow=True)
        for path, name in programs.items()
    ]
    code = Path(__file__).resolve().parents[2]
    found += [
        Place("dir", name, "program", code / name, f"the code of {name}")
        for name in ("bkp", "auditor", "exporter", "runner")
    ]
    libraries = Path(sysconfig.get_path("purelib"))
    found.append(Place("dir", "libraries", "program", libraries, "the folder of Python packages", optional=True))
    found.append(Place("dir", "units", "program", _UNITS, "the folder of systemd's units", optional=True))
    found += _mail(config)
    found += [
        Place("file", f"{name}.heartbeat", "heartbeat", Path(path), f"heartbeat.address_files.{name}")
        for name, path in config.heartbeat.address_files.items()
    ]
    found.append(Place("file", "attestations", "attestations", attestations, "the attestation file", optional=True))
    if config.audit.waivers:
        found.append(Place("file", "waivers", "waivers", Path(config.audit.waivers), "audit.waivers"))
    history = Path(config.paths.state, "history.jsonl")
    found.append(Place("file", "history", "history", history, "the history of runs", optional=True))
    for name in ("state", "log", "lock"):
        found.append(Place("dir", name, name, Path(getattr(config.paths, name)), f"paths.{name}"))
    if config.paths.scratch:
        found.append(Place("dir", "scratch", "scratch", Path(config.paths.scratch), "paths.scratch", optional=True))
    found.append(Place("dir", "rules", "rules", rules, "the folder of rules", follow=True))
    return found


def _of_repository(name: str, repository: Repository) -> Iterator[Place]:
    where = f"repositories.{name}"
    secrets = (("passphrase", repository.passphrase_file), ("key-export", repository.key_export))
    for kind, path in secrets:
        if path:
            field = {"passphrase": "passphrase_file", "key-export": "key_export"}[kind]
            yield Place("file", f"{name}.{kind}", kind.replace("-", " "), Path(path), f"{where}.{field}")
    if repository.path.startswith("/"):
        yield Place("dir", name, "repository", Path(repository.path), f"{where}.path")
    own = Path(repository.base_dir or os.environ.get("HOME") or "/root", ".config/borg")
    yield Place("dir", f"{name}.base", "borg base", own, f"borg's own folder for {name}", optional=True)
    if repository.encryption.startswith("keyfile"):
        try:
            keys = sorted(entry.name for entry in os.scandir(own / "keys"))
        except OSError:
            keys = []
        for number, key in enumerate(keys or [name], start=1):
            yield Place("file", f"{name}.keyfile-{number}", "keyfile", own / "keys" / key, f"a keyfile of {name}")


def _of_replication(name: str, replication: Replication) -> Iterator[Place]:
    where = f"replications.{name}"
    yield Place("file", f"{name}.pull-key", "pull key", Path(replication.identity_file), f"{where}.identity_file")
    hosts = Path(replication.known_hosts)
    yield Place("file", f"{name}.host-key", "host key", hosts, f"{where}.known_hosts", follow=True)


def _mail(config: Config) -> Iterator[Place]:
    if config.mail.when == "never":
        return
    if config.mail.config:
        yield Place("file", "mail-config", "mail configuration", Path(config.mail.config), "mail.config")
        return
    home = Path(os.environ.get("HOME") or "/root")
    for name, path in (
        ("user", home / ".msmtprc"),
        ("xdg", home / ".config/msmtp/config"),
        ("system", Path("/etc/msmtprc")),
    ):
        what = f"msmtp's configuration ({name})"
        yield Place("file", f"mail-config.{name}", "mail configuration", path, what, optional=True)


def collect_permissions(builder: FactBuilder, wanted: list[Place]) -> None:
    """Add file.* and dir.* of each place. What cannot be looked at is an error of that place alone."""
    for place in wanted:
        _add(builder.of(place.space, place.instance), place)


def not_in_time(builder: FactBuilder, wanted: list[Place], reason: str) -> None:
    """Add errors for the places that there was no time to look at."""
    for place in wanted:
        builder.of(place.space, place.instance).fail(f"lstat(2) of {place.what}", reason)


def _add(group: FactGroup, place: Place) -> None:
    source = f"lstat(2) of {place.what}"
    named = {"role": place.role, "path": str(place.path)}
    try:
        at = os.path.realpath(place.path) if place.follow else str(place.path)
        facts = os.lstat(at)
    except (FileNotFoundError, NotADirectoryError):
        if not place.optional:
            group.add("the configuration", named)
            group.add(source, {"exists": False})
        return
    except OSError as exc:
        group.add("the configuration", named)
        group.fail(source, exc.strerror or "cannot be looked at")
        return
    group.add("the configuration", named)
    values = {
        "exists": True,
        "kind": next((word for test, word in _KINDS if test(facts.st_mode)), "other"),
        "mode": f"{stat.S_IMODE(facts.st_mode):04o}",
        "uid": facts.st_uid,
        "gid": facts.st_gid,
        "owner_trusted": trusted(facts.st_uid),
    }
    if place.space == "file":
        values["links"] = facts.st_nlink
    group.add(source, values)
    _add_more(group, place, at, facts)


def _add_more(group: FactGroup, place: Place, at: str, facts: os.stat_result) -> None:
    """Add what needs more than one look: lists, the way to it, and what is inside."""

    def acl() -> object:
        return has_acl(at, facts)

    def hops() -> object:
        route: Route = walk(place.path)
        return route.weak

    def inside() -> object:
        return weak_inside(at, links=_WHOLE[place.role]) if stat.S_ISDIR(facts.st_mode) else ()

    looks = [("acl", "getxattr(2)", acl), ("weak_hops", "lstat(2) of every hop on the way", hops)]
    if place.space == "dir" and place.role in _WHOLE:
        looks.append(("weak_inside", "lstat(2) of everything below it", inside))
    for field, how, look in looks:
        source = f"{how}, {place.what}"
        try:
            group.add(source, {field: look()})
        except OSError as exc:
            group.fail(source, exc.strerror or "cannot be looked at", (field,))
