"""A repository seen through a scratch folder: its own `config` with another key, and the real data, which is only read.

borg imports a key without checking it, over the one that was there. So an escrowed key is tried here and never on the
real repository. Every segment is a link of its own: borg may remove what a crash left at the end of a repository, and
then removes a link.
"""

from __future__ import annotations

import base64
import configparser
import io
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bkp.errors import StepFailedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bkp.config.repositories import Repository
    from bkp.key_export import ExportedKey

_COPIED = ("README", "nonce")
_LINKED = ("index.", "hints.", "integrity.")
# The overlay is a repository that borg has never met; what it would ask of one without encryption is answered.
_ANSWERS = {"BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes", "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes"}


@dataclass(frozen=True)
class Overlay:
    """The repository as borg is to be called for it, and what its environment needs besides."""

    repository: Repository
    environment: Mapping[str, str]


@contextmanager
def overlay(repository: Repository, key: ExportedKey, folder: Path) -> Iterator[Overlay]:
    """Make an overlay with the key in `folder`, which is made anew, and remove it in the end.

    `repository` is on this machine. Raise `StepFailedError` where it cannot be read.
    """
    try:
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700, parents=True)
            made = _make(repository, key, folder)
        except (OSError, configparser.Error) as exc:
            why = exc.strerror if isinstance(exc, OSError) else "its file config is not understood"
            what = f"no overlay of {repository.path} can be made: {why}"
            raise StepFailedError(what, remedy="see whether it is there, and room in paths.scratch") from exc
        yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make(repository: Repository, key: ExportedKey, folder: Path) -> Overlay:
    real, scratch, base = Path(repository.path), folder / "repository", folder / "base"
    scratch.mkdir(mode=0o700)
    base.mkdir(mode=0o700)
    environment = dict(_ANSWERS)
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string((real / "config").read_text(encoding="utf-8"))
    blob = base64.b64encode(key.blob).decode()
    if parser.get("repository", "key", fallback=""):
        parser.set("repository", "key", blob)
    else:  # the key is not in the repository but in a file
        environment["BORG_KEY_FILE"] = str(folder / "key")
        _write(folder / "key", f"BORG_KEY {parser.get('repository', 'id').strip()}\n{blob}\n")
    text = io.StringIO()
    parser.write(text)
    _write(scratch / "config", text.getvalue())
    for entry in os.scandir(real):
        if entry.name in _COPIED:
            shutil.copy(entry.path, scratch / entry.name)
        elif entry.name.startswith(_LINKED):
            os.symlink(entry.path, scratch / entry.name)  # noqa: PTH211  # thousands of them
    for part in os.scandir(real / "data"):
        into = scratch / "data" / part.name
        into.mkdir(parents=True)
        for segment in os.scandir(part.path):
            os.symlink(segment.path, into / segment.name)  # noqa: PTH211
    return Overlay(msgspec.structs.replace(repository, path=str(scratch), base_dir=str(base)), environment)


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(text)


def traces(repository: Repository) -> dict[str, tuple[int, int]]:
    """Return size and time of change of every file and folder of a local repository (stat(2))."""
    found = {}
    for folder, _folders, files in os.walk(repository.path):
        for name in (folder, *(f"{folder}/{file}" for file in files)):
            facts = os.lstat(name)
            found[name] = (facts.st_size, facts.st_mtime_ns)
    return found
