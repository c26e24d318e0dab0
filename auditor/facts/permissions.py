"""Facts of file.* and dir.*: lstat(2) of what matters and of every folder above it. Sources never name a path."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.facts.builder import FactBuilder
    from bkp.config.model import Config

_ACL = "system.posix_acl_access"
_KINDS = ((stat.S_ISREG, "regular file"), (stat.S_ISDIR, "folder"), (stat.S_ISLNK, "symbolic link"))


def collect_permissions(builder: FactBuilder, config: Config, config_path: Path, attestations: Path) -> None:
    """Add file.* and dir.* for everything that the configuration names."""
    programs: dict[str, str] = {config.mail.msmtp: "msmtp"} if config.mail.when != "never" else {}
    for name, repository in config.repositories.items():
        where = f"repositories.{name}"
        if repository.passphrase_file:
            _file(builder, f"{name}.passphrase", "passphrase", repository.passphrase_file, f"{where}.passphrase_file")
        if repository.key_export:
            _file(builder, f"{name}.key-export", "key export", repository.key_export, f"{where}.key_export")
        if repository.path.startswith("/"):
            _add(builder, "dir", name, "repository", Path(repository.path), f"{where}.path", follow=False)
        programs.setdefault(repository.borg, f"{name}.borg" if "borg" in programs.values() else "borg")
    _add(builder, "file", "config", "configuration", config_path, "the configuration file", follow=True)
    if config.mail.config:
        _file(builder, "mail-config", "mail configuration", config.mail.config, "mail.config")
    if not _known_absent(attestations):
        _file(builder, "attestations", "attestations", str(attestations), "the attestation file")
    for path, name in programs.items():
        _add(builder, "file", name, "program", Path(path), f"the program {name}", follow=True)
    for name in ("state", "log"):
        _add(builder, "dir", name, name, Path(getattr(config.paths, name)), f"paths.{name}", follow=False)


def _known_absent(path: Path) -> bool:
    """Return whether there is certainly nothing; where that cannot be told, its facts say why."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _file(builder: FactBuilder, instance: str, role: str, path: str, what: str) -> None:
    _add(builder, "file", instance, role, Path(path), what, follow=False)


def _add(builder: FactBuilder, space: str, instance: str, role: str, path: Path, what: str, *, follow: bool) -> None:
    source = f"lstat(2) of {what}"
    builder.add(space, instance, "the configuration", {"role": role, "path": str(path)})
    try:
        real = path.resolve() if follow else path
        facts = real.lstat()
    except (FileNotFoundError, NotADirectoryError):
        builder.add(space, instance, source, {"exists": False})
        return
    except (OSError, RuntimeError) as exc:
        builder.fail(space, instance, source, _reason(exc))
        return
    values = {
        "exists": True,
        "kind": next((word for test, word in _KINDS if test(facts.st_mode)), "other"),
        "mode": f"{stat.S_IMODE(facts.st_mode):04o}",
        "uid": facts.st_uid,
        "gid": facts.st_gid,
        "owner_trusted": _trusted(facts),
    }
    builder.add(space, instance, source, values)
    _add_acl(builder, space, instance, source, real)
    try:
        unsafe = unsafe_parents(path)
    except (OSError, RuntimeError) as exc:
        builder.fail(space, instance, source, f"a folder above it: {_reason(exc)}", ("unsafe_parents",))
        return
    builder.add(space, instance, f"{source} and of every folder above it", {"unsafe_parents": len(unsafe)})


def _reason(exc: OSError | RuntimeError) -> str:
    """Say why; Python 3.11 raises RuntimeError for a loop of symbolic links."""
    return getattr(exc, "strerror", None) or "a loop of symbolic links"


def _add_acl(builder: FactBuilder, space: str, instance: str, source: str, path: Path) -> None:
    try:
        os.getxattr(path, _ACL, follow_symlinks=False)
        present = True
    except OSError as exc:
        if exc.errno not in {errno.ENODATA, errno.ENOTSUP}:
            builder.fail(space, instance, source, f"access control list: {exc.strerror}", ("acl",))
            return
        present = False
    builder.add(space, instance, f"getxattr(2), {source}", {"acl": present})


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
