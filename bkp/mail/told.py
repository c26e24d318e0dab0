"""That a unit has mailed for itself, so that bkp-unit-failed@.service need not mail that it failed."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from bkp.errors import StateError
from bkp.state.files import write_atomic

TOLD = ".told"


def note_told(name: str, lock_folder: str) -> None:
    """Note it under the unit's INVOCATION_ID (systemd.exec(5)); outside a unit do nothing. Never raises."""
    if invocation := os.environ.get("INVOCATION_ID", ""):
        with contextlib.suppress(StateError):  # then it is mailed twice
            write_atomic(Path(lock_folder) / f"{name}{TOLD}", f"{invocation}\n".encode(), durable=False)
