"""Asking a file system that may never answer: a network share that is gone keeps whoever asks waiting, in the kernel.

No signal ends such a call, not even its own time limit. So a thread asks, and what waits for it can give up.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

PATIENCE = 60.0  # seconds that a file system may take to answer: a disk that sleeps needs ten


class NoAnswerError(OSError):
    """The file system has not answered in time. The thread that asked stays behind, and ends with the process."""

    def __init__(self, seconds: float) -> None:
        super().__init__(None, f"its file system does not answer (waited {seconds:g}s)")


def in_time(ask: Callable[[], T], seconds: float | None) -> T:
    """Return what `ask` returns, or raise what it raises; raise `NoAnswerError` if it takes longer than `seconds`.

    None waits for ever. Either way an exception that a signal handler raises ends the wait.
    """
    answer: list[T] = []
    failure: list[BaseException] = []
    done = threading.Event()

    def asking() -> None:
        try:
            answer.append(ask())
        except BaseException as exc:  # noqa: BLE001  # raised again where it is waited for
            failure.append(exc)
        done.set()

    thread = threading.Thread(target=asking, name="asking", daemon=True)
    thread.start()
    if not done.wait(seconds):
        raise NoAnswerError(seconds or 0)
    thread.join()  # so that none of ours is left in a namespace of mounts
    if failure:
        raise failure[0]
    return answer[0]
