"""Progress of long work: one line a phase, with the seconds since the start."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def _to_standard_error(line: str) -> None:
    sys.stderr.write(line)
    sys.stderr.flush()


class Progress:
    """Phase lines, by default on standard error and so apart from a command's result.

    Attributes:
        write: where lines go; pytest's fixtures hand in a way past its capture.
    """

    def __init__(self, title: str, write: Callable[[str], None] = _to_standard_error) -> None:
        self._title = title
        self.write = write
        self._start = time.monotonic()

    def say(self, text: str) -> None:
        """Print one phase line: the seconds since the start, then what begins or ended now."""
        self.write(f"[{self.elapsed:6.1f} s] {self._title}: {text}\n")

    def part(self, title: str) -> Progress:
        """Return a progress of its own clock for one part of the work, written to the same place."""
        return Progress(title, self.write)

    @property
    def elapsed(self) -> float:
        """Seconds since this progress began."""
        return time.monotonic() - self._start
