"""A limit of processor time for each rule: a regular expression of the user's must not hang the audit.

Python's `re` looks for signals while it matches, and a signal's handler may raise. So a timer ends it in place: no
child process, no other dialect of patterns, and whatever else a rule does is bounded as well. Processor time, because
a busy machine must not turn a sound rule into an error.
"""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

RULE_SECONDS = 1.0


class TooLongError(Exception):
    """A rule used up its processor time."""


@contextlib.contextmanager
def processor_time(seconds: float) -> Iterator[None]:
    """Raise `TooLongError` in the body once it has computed for `seconds`. Python's main thread only (signal(7))."""
    before = signal.signal(signal.SIGVTALRM, _raise)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _raise(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise TooLongError
