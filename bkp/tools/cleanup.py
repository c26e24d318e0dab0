"""Cleaning up that an ending signal must not cut short."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.errors import InterruptedRunError

if TYPE_CHECKING:
    from collections.abc import Callable


def to_the_end(work: Callable[[], None]) -> None:
    """Do the work, and do it again if an ending signal comes meanwhile; that one is raised afterwards.

    Only the first signal is ever raised, so the second attempt is not disturbed. The work must bear being begun twice.
    """
    try:
        work()
    except InterruptedRunError:
        work()
        raise
