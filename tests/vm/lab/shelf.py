"""Finished images and states on the shelf: who uses one holds it, and what nobody used for a week is thrown away.

Several checkouts share one lab, each with its own recipe; what is not mine may be somebody's who comes back tomorrow.
"""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from .locks import Hold, share, try_lock

if TYPE_CHECKING:
    from pathlib import Path

_MARK = "in-use"
_KEEP_SECONDS = 7 * 86400


def use(folder: Path) -> Hold:
    """Hold a finished folder, so that nobody removes it, and note that it was used now."""
    mark = folder / _MARK
    hold = share(mark)
    mark.touch()
    return hold


def prune(shelf: Path, pattern: str, keep: Path) -> None:
    """Remove folders that match, are not held by anybody and were not used for a week; `keep` stays."""
    for folder in shelf.glob(pattern):
        mark = folder / _MARK
        last_use = (mark if mark.exists() else folder).stat().st_mtime
        if folder == keep or time.time() - last_use < _KEEP_SECONDS:
            continue
        unused = try_lock(mark)
        if unused is not None:
            shutil.rmtree(folder, ignore_errors=True)
            unused.release()
