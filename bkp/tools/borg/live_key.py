"""The key that a repository has now. It needs no passphrase, and of a local repository that holds its key no borg."""

from __future__ import annotations

import configparser
from pathlib import Path
from typing import TYPE_CHECKING

from bkp.errors import StepFailedError
from bkp.key_export import ExportedKey, parse_key_export
from bkp.tools.borg.client import Borg

if TYPE_CHECKING:
    from bkp.config.repositories import Repository

TIMEOUT_SECONDS = 60.0


def live_key(repository: Repository, *, lock_wait: float, keep_open: tuple[int, ...] = ()) -> ExportedKey:
    """Return the repository's key as it is now. Raise `StepFailedError` with the reason where it cannot be had."""
    if (found := key_in_file(repository.path)) is not None:
        return found
    return export_of(repository, lock_wait=lock_wait, keep_open=keep_open)[1]


def export_of(
    repository: Repository, *, lock_wait: float, keep_open: tuple[int, ...] = ()
) -> tuple[bytes, ExportedKey]:
    """Return what `borg key export` writes, and the key in it. Raise `StepFailedError` where that is none."""
    borg = Borg(repository, None, lock_wait=lock_wait, timeout=TIMEOUT_SECONDS, keep_open=keep_open)
    try:
        content = borg.key_export()
        return content, parse_key_export(content)
    except ValueError as exc:
        raise StepFailedError(f"what borg exported {exc}", remedy="compare it with an escrow copy") from None


def key_in_file(path: str) -> ExportedKey | None:
    """Return the key in the file `config` of a local repository.

    None of a remote one, of one whose key lies elsewhere, and where the file cannot be used: borg says what is wrong.
    """
    if not path.startswith("/"):
        return None
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string((Path(path) / "config").read_text(encoding="utf-8"))
        text = f"BORG_KEY {parser.get('repository', 'id').strip().lower()}\n{parser.get('repository', 'key')}\n"
        return parse_key_export(text.encode())
    except (OSError, ValueError, configparser.Error):
        return None
