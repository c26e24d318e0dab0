"""Facts of file.* and dir.*: lstat(2) of what matters and of every folder above it. Sources never name a path."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.facts.builder import FactBuilder, FactGroup
    from bkp.config.model import Config

_ACL = "system.posix_acl_access"
_KINDS = ((stat.S_ISREG, "regular file"), (stat.S_ISDIR, "folder"), (stat.S_ISLNK, "symbolic link"))


def collect_permissions(builder: FactBuilder, config: Config, config_path: Path, attestations: Path) -> None:
    """Add file.* and dir.* for everything that the configuration names."""

    def look(name: str, role: str, path: str, what: str, *, space: str = "file", follow: bool = False) -> None:
        _add(builder.of(space, name), role, Path(path), what, follow=follow)

    programs: dict[str, str] = {config.mail.msmtp: "msmtp"} if config.mail.when != "never" else {}
    for name, repository in config.repositories.items():
        where = f"repositories.{name}"
        if repository.passphrase_file:
            look(f"{name}.passphrase", "passphrase", repository.passphrase_file, f"{where}.passphrase_file")
        if repository.key_export:
            look(f"{name}.key-export", "key export", repository.key_export, f"{where}.key_export")
        if repository.path.startswith("/"):
            look(name, "repository", repository.path, f"{where}.path", space="dir")
        programs.setdefault(repository.borg, f"{name}.borg" if "borg" in programs.values() else "borg")
    look("config", "configuration", str(config_path), "the configuration file", follow=True)
    if config.mail.config:
        look("mail-config", "mail configuration", config.mail.config, "mail.config")
    if not _known_absent(attestations):
        look("attestations", "attestations", str(attestations), "the attestation file")
    for path, name in programs.items():
        look(name, "program", path, f"the program {name}", follow=True)
    for name in ("state", "log"):
        look(name, name, getattr(config.paths, name), f"paths.{name}", space="dir")


def _known_absent(path: Path) -> bool:
    """Return True if nothing is at the path; False if something is, or if that cannot be told."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _add(group: FactGroup, role: str, path: Path, what: str, *, follow: bool) -> None:
    source = f"lstat(2) of {what}"
    group.add("the configuration", {"role": role, "path": str(path)})
    try:
        real = path.resolve() if follow else path
        facts = real.lstat()
    except (FileNotFoundError, NotADirectoryError):
        group.add(source, {"exists": False})
        return
    except (OSError, RuntimeError) as exc:
        group.fail(source, _reason(exc))
        return
    values = {
        "exists": True,
        "kind": next((word for test, word in _KINDS if test(facts.st_mode)), "other"),
        "mode": f"{stat.S_IMODE(facts.st_mode):04o}",
        "uid": facts.st_uid,
        "gid": facts.st_gid,
        "owner_trusted": _trusted(facts),
    }
    group.add(source, values)
    _add_acl(group, source, real)
    try:
        unsafe = unsafe_parents(path)
    except (OSError, RuntimeError) as exc:
        group.fail(source, f"a folder above it: {_reason(exc)}", ("unsafe_parents",))
        return
    group.add(f"{source} and of every folder above it", {"unsafe_parents": len(unsafe)})


def _reason(exc: OSError | RuntimeError) -> str:
    """Say why; Python 3.11 raises RuntimeError for a loop of symbolic links."""
    return getattr(exc, "strerror", None) or "a loop of symbolic links"


def _add_acl(group: FactGroup, source: str, path: Path) -> None:
    try:
        os.getxattr(path, _ACL, follow_symlinks=False)
        present = True
    except OSError as exc:
        if exc.errno not in {errno.ENODATA, errno.ENOTSUP}:
            group.fail(source, f"access control list: {exc.strerror}", ("acl",))
            return
        present = False
    group.add(f"getxattr(2), {source}", {"acl": present})


def unsafe_parents(path: Path) -> list[Path]:
    """Return the folders above `path`, links followed, in which someone but root and this account may replace things.

    A sticky folder is safe, and so is one that only the group root may write. Raise OSError where one cannot be seen.
    """
    chains = {*path.parents, *path.parent.resolve(strict=True).parents, path.parent.resolve(strict=True)}
    if path.is_symlink():
        chains |= set(path.resolve(strict=True).parents)
    return sorted(folder for folder in chains if is_unsafe(folder.stat()))


def is_unsafe(facts: os.stat_result) -> bool:
    """Return whether somebody but root and this account may replace what is in a folder."""
    if not _trusted(facts):
        return True
    writable = facts.st_mode & stat.S_IWOTH or (facts.st_mode & stat.S_IWGRP and facts.st_gid != 0)
    return bool(writable) and not facts.st_mode & stat.S_ISVTX


def _trusted(facts: os.stat_result) -> bool:
    return facts.st_uid in {0, os.geteuid()}
