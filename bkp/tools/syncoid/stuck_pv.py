"""Ends a pv that waits for nobody.

The pv of Debian 13 (1.9.31) waits at the end of its input until its output has been read, whatever its options say.
Where `zfs receive` failed before that, nobody reads any more: pv waits for ever, and syncoid for pv. SIGTERM ends it,
and syncoid goes on to say what failed.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SECONDS_BETWEEN_LOOKS = 5.0
# proc_pid_stat(5): the number, the name in parentheses (which may hold any character), the state, the parent.
_STAT = re.compile(r"([0-9]+) \((.*)\) . ([0-9]+) ", re.DOTALL)


class Process(NamedTuple):
    """A process as /proc has it."""

    pid: int
    name: str
    parent: int


def stuck(processes: Iterable[Process], ours: int) -> set[int]:
    """Return each pv below the process `ours` that no zfs stands behind in its pipeline, by their numbers.

    One look alone may see a pipeline that is just being started or ended.
    """
    known = {each.pid: each for each in processes}
    receiving = {each.parent for each in known.values() if each.name == "zfs"}
    return {
        each.pid
        for each in known.values()
        if each.name == "pv" and each.parent not in receiving and _is_below(each, ours, known)
    }


def _is_below(process: Process, ours: int, known: dict[int, Process]) -> bool:
    above: Process | None = process
    while above is not None and above.pid != ours:
        above = known.get(above.parent)
    return above is not None


def read_processes(proc: Path = Path("/proc")) -> list[Process]:
    """Return all processes that can be read; those that end meanwhile are left out."""
    found = []
    for path in proc.glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if match := _STAT.match(path.read_text("utf-8", "replace")):
                found.append(Process(int(match[1]), match[2], int(match[3])))
    return found


@contextlib.contextmanager
def watched(tell: Callable[[str], None], seconds: float = SECONDS_BETWEEN_LOOKS) -> Iterator[None]:
    """While the block runs, end each pv below this process that two looks in a row have found stuck, and say so."""
    over = threading.Event()

    def watch() -> None:
        before: set[int] = set()
        while not over.wait(seconds):
            now = stuck(read_processes(), os.getpid())
            for pid in now & before:
                tell(f"pv ({pid}) waits for a zfs receive that has ended: ending it")
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
            before = now

    thread = threading.Thread(target=watch, name="stuck-pv", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
