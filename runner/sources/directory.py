"""A plain directory: nothing to prepare, but it must be there and not be an unmounted, empty mount point."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bkp.patience import PATIENCE, NoAnswerError, in_time
from runner.sources.base import PreparedRoot, PreparedSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bkp.config.repositories import Source


@dataclass(frozen=True)
class DirectorySource:
    """Reads the live tree. Files that change while they are read are archived as borg finds them.

    A file system that does not answer within `patience` seconds is a problem of its own.
    """

    patience: float = PATIENCE

    @contextmanager
    def prepare(self, name: str, source: Source) -> Iterator[PreparedSource]:
        """Yield the directory, with its problem if it is missing, a link, unreadable or empty."""
        path = os.path.normpath(source.path or "")
        try:
            problem = in_time(lambda: _problem(path), self.patience)
        except NoAnswerError as exc:
            problem = f"cannot be read: {exc.strerror}"
        yield PreparedSource(name, source, (PreparedRoot(path, problem=problem),))


def _problem(path: str) -> str | None:
    if os.path.islink(path):  # noqa: PTH114  # no Path of it is needed
        return f"is a symbolic link, of which borg archives the link alone: configure {os.path.realpath(path)} instead"
    try:
        with os.scandir(path) as entries:
            if next(entries, None) is None:
                return "is empty: is its file system mounted?"
    except FileNotFoundError:
        return "is not there"
    except NotADirectoryError:
        return "is not a directory"
    except OSError as exc:
        return f"cannot be read: {exc.strerror}"
    return None
