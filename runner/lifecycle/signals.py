"""SIGTERM, SIGHUP and Ctrl-C end a run cleanly: the first becomes an exception, until the end is being recorded."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from bkp.errors import InterruptedRunError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class EndingSignals:
    """Whether an ending signal still changes anything; `received` is the name of the first one, however late."""

    def __init__(self) -> None:
        self._armed = False
        self.received: str | None = None

    def arm(self) -> None:
        """From now on the first ending signal ends the run. Raise it at once if it has come already."""
        self._armed = True
        if self.received is not None:
            self._raise(self.received)

    def disarm(self) -> None:
        """From now on ending signals come too late: the run ends by itself, and its end is recorded."""
        self._armed = False

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Raise `InterruptedRunError` for the first ending signal; let those that follow pass."""
        self.received = self.received or signal.Signals(number).name
        if self._armed:
            self._raise(signal.Signals(number).name)

    def _raise(self, name: str) -> NoReturn:
        self._armed = False
        raise InterruptedRunError(name)


@contextmanager
def ending_signals_raise(*, until_the_end: bool = False) -> Iterator[EndingSignals]:
    """Handle ending signals in the main thread for as long as the block lasts: not yet armed.

    A signal that the caller has us ignore, as nohup(1) does with SIGHUP, stays ignored. `until_the_end`: the program
    ends after the block, and no signal changes any more what it ends with.
    """
    signals = EndingSignals()
    heard = [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, signals.handle) for number in heard}
    try:
        yield signals
    finally:
        # Not even our own handler: on its way out Python gives each signal back what kills the process.
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if until_the_end else handler)
