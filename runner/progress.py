"""How far the work is: a bar on a terminal, a line now and then in the journal, nothing where nobody asked."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, Protocol

from bkp.quantities import format_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from bkp.tools.borg.events import Progress

JOURNAL_INTERVAL = 300.0
PULL = "pull"  # the one operation that counts bytes

_TITLES = {
    "scrub": "scrubbing",
    "selftest": "testing",
    "create": "archiving",
    PULL: "pulling",
    "repository.check": "checking segments",
    "check.verify_data": "verifying data",
    "check.rebuild_refcounts": "checking archives",
    "repository.compact_segments": "compacting",
    "extract": "extracting",
    "cache.sync": "synchronising the chunks cache",
}


class ProgressSink(Protocol):
    """Hears of progress."""

    def update(self, progress: Progress) -> None:
        """Take note of how far an operation is."""

    def finish(self) -> None:
        """Take the bar away."""


class NoProgress:
    """For scripts."""

    def update(self, progress: Progress) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""


class JournalProgress:
    """One line every five minutes, so that a check of two days shows signs of life."""

    def __init__(self, say: Callable[[str], None], *, now: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._now = now
        self._next = now() + JOURNAL_INTERVAL

    def update(self, progress: Progress) -> None:
        """Say how far it is, if the last line is old enough."""
        if progress.finished or self._now() < self._next:
            return
        self._next = self._now() + JOURNAL_INTERVAL
        self._say(describe(progress))

    def finish(self) -> None:
        """Do nothing."""


class TerminalProgress:
    """A bar for the person who watches."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._tasks: dict[str, Any] = {}

    def update(self, progress: Progress) -> None:
        """Move the bar of that operation."""
        if progress.operation.startswith("cache.") and progress.total is None:
            return
        bar = self._bar or self._start()
        title = _TITLES.get(progress.operation, progress.operation)
        task = self._tasks.get(progress.operation)
        if task is None:
            task = self._tasks[progress.operation] = bar.add_task(title, total=progress.total, detail="")
        if progress.finished:
            bar.update(task, total=progress.total or 1, completed=progress.total or 1, detail="")
        else:
            detail = f"{_so_far(progress)}  {progress.what}" if progress.total is None else ""
            bar.update(task, total=progress.total, completed=progress.current, detail=detail)

    def _start(self) -> Any:
        from rich.console import Console  # rich costs start-up time that only a terminal is worth
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar
        from rich.table import Column

        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            # A path may hold brackets, which are markup elsewhere, and be longer than the line.
            TextColumn(
                "{task.fields[detail]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)
            ),
            console=Console(stderr=True),
            transient=True,
            expand=True,
        )
        self._bar.start()
        return self._bar

    def finish(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            with contextlib.suppress(OSError):  # the terminal has gone (hang-up): the run's end is still to be recorded
                self._bar.stop()
            self._bar = None
            self._tasks.clear()


def describe(progress: Progress) -> str:
    """Return one clause on how far an operation is."""
    title = _TITLES.get(progress.operation, progress.operation)
    if progress.total is None:
        return f"{title}: {_so_far(progress)} so far"
    return f"{title}: {100 * progress.current / progress.total:.0f} %"


def _so_far(progress: Progress) -> str:
    return format_size(progress.current) if progress.operation == PULL else f"{progress.current:,} files"
