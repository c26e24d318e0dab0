"""Which repository lies at a path, asked of its own file `config`: costs no call of borg, and needs no passphrase."""

from __future__ import annotations

import configparser
from pathlib import Path


def id_in_file(path: str) -> str | None:
    """Return the id that a local repository's own file gives; None of a remote one, and where it cannot be read."""
    if not path.startswith("/"):
        return None
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string((Path(path) / "config").read_text(encoding="utf-8"))
        return parser.get("repository", "id").strip().lower()
    except (OSError, UnicodeDecodeError, configparser.Error):  # borg says what is wrong with it
        return None
