"""What every job's work may use: configuration, record, steps, log, clock and options. It knows no outside program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bkp.patience import PATIENCE
from bkp.state.records import Message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bkp.clock import Clock
    from bkp.config.model import Config
    from bkp.state.store import StateStore
    from runner.lifecycle.log import Log
    from runner.lifecycle.recorder import Recorder
    from runner.progress import ProgressSink


NO_WAIT = "no_wait"  # the switch that says: begin, or look once, and leave the rest to `bkp-run follow`


@dataclass(frozen=True)
class Options:
    """What the caller of a job decides: how long to wait for locks (seconds), who hears of progress, and flags.

    `flags` are the names of the job's own switches that were set, as its command has them. `by_timer`: its unit runs
    it, not a person.
    """

    lock_wait: float
    progress: ProgressSink
    flags: frozenset[str] = frozenset()
    by_timer: bool = False


@dataclass(frozen=True)
class RunContext:
    """What a job's work may use. Programs that work on the target keep the descriptors of `keep_open` (its lock)."""

    config: Config
    target: str
    store: StateStore
    clock: Clock
    recorder: Recorder
    log: Log
    options: Options
    keep_open: tuple[int, ...] = ()

    @property
    def patience(self) -> float:
        """Return how many seconds a file system may take to answer: at most half of the job's time limit."""
        limit = self.config.job(self.recorder.run.job).timeout
        return PATIENCE if limit is None else min(PATIENCE, limit.total_seconds() / 2)

    def tell(self, level: Literal["info", "warning", "error"], texts: Iterable[str]) -> None:
        """Say something and put it into the record."""
        messages = [Message(level=level, text=text) for text in texts]
        self.recorder.add_messages(messages)
        self.log.say_all(messages)
