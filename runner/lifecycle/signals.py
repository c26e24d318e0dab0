"""SIGTERM, SIGHUP and Ctrl-C end a run cleanly: the first becomes an exception, until the end is being recorded."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bkp.errors import InterruptedRunError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class EndingSignals:
    """Whether an ending signal still changes anything."""

    def __init__(self) -> None:
        self._armed = True

    def disarm(self) -> None:
        """From now on ending signals come too late: the run ends by itself, and its end is recorded."""
        self._armed = False

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Raise `InterruptedRunError` for the first ending signal; let those that follow pass."""
        if self._armed:
            self._armed = False
            raise InterruptedRunError(signal.Signals(number).name)


@contextmanager
def ending_signals_raise() -> Iterator[EndingSignals]:
    """Handle ending signals in the main thread for as long as the block lasts."""
    signals = EndingSignals()
    before = {number: signal.signal(number, signals.handle) for number in ENDING}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
