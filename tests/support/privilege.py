"""A program that may not read everything, though the suite runs as root."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

STRANGER = 65534
_READ_ALL = "-dac_override,-dac_read_search"


def without_privilege(*words: str) -> list[str]:
    """Return the command line that runs the program without root's right to pass over permissions (setpriv(1)).

    It stays root otherwise: the interpreter may lie in root's home.
    """
    if os.geteuid() != 0:
        return list(words)
    return ["setpriv", f"--bounding-set={_READ_ALL}", f"--inh-caps={_READ_ALL}", "--", *words]


def close_to_us(path: Path) -> None:
    """Make the file or folder somebody else's own; where we cannot give things away, nobody's."""
    if os.geteuid() == 0:
        os.chown(path, STRANGER, STRANGER)
        path.chmod(0o700)
    else:
        path.chmod(0)
