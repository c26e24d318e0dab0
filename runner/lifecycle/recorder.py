"""The record of a run while it goes on: started, each step, how it ended. Always on disk, never only in memory."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from bkp.errors import BkpError, DeferredError, InterruptedRunError, StateError
from bkp.state.fields import Outcome
from bkp.state.records import Message, Run, Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bkp.clock import Clock
    from bkp.state.store import StateStore

MAX_MESSAGES = 50
_RANK = {
    Outcome.SUCCESS: 0,
    Outcome.SKIPPED: 0,
    Outcome.DEFERRED: 0,
    Outcome.WARNING: 1,
    Outcome.FAILURE: 2,
    Outcome.INTERRUPTED: 3,
}


@dataclass
class StepNotes:
    """What a step learns about itself while it runs."""

    outcome: Outcome = Outcome.SUCCESS
    exit_code: int | None = None
    reason: str | None = None
    message_ids: list[str] = field(default_factory=list)
    counters: dict[str, int | float] = field(default_factory=dict)

    def skip(self, reason: str) -> None:
        """Say that the step was left out, and why."""
        self.outcome, self.reason = Outcome.SKIPPED, reason

    def warn(self, reason: str) -> None:
        """Say that the step did its work, but not without trouble."""
        if self.outcome is Outcome.SUCCESS:
            self.outcome, self.reason = Outcome.WARNING, reason


class Recorder:
    """Holds the current `Run` and writes it to the state directory at every change.

    A state directory that cannot be written keeps no backup from being made: `trouble` then says why, and who would
    remove anything asks for it. `unrecorded`: the end of the run could not be written.
    """

    def __init__(self, store: StateStore, run: Run, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.run = run
        self.trouble: StateError | None = None
        self.unrecorded = False

    def begin(self) -> None:
        """Write the record for the first time, durably: from now on a death leaves a trace."""
        self._write(durable=True)

    def keep(self) -> None:
        """Write the record as it is now."""
        self._write(durable=False)

    def follow_on(self, latest: Run | None) -> None:
        """Keep how the last run ended; one whose work goes on after its process has ended is this process's now."""
        if latest is None or latest.outcome is not Outcome.RUNNING or not latest.outlives_process:
            self.update(before=latest.end if latest is not None else None)
        else:
            self._take_over(latest)

    def left(self) -> Run:
        """Write the record of a run that this process leaves, and that goes on; return it."""
        self.keep()
        return self.run

    def _take_over(self, run: Run) -> None:
        warnings = self.run.messages
        self.run = msgspec.structs.replace(run, process=self.run.process)
        self.add_messages([each for each in warnings if each not in run.messages])

    def _write(self, *, durable: bool) -> None:
        try:
            self._store.write_running(self.run, durable=durable)
        except StateError as exc:
            self.trouble = self.trouble or exc

    def update(self, **changes: Any) -> None:
        """Change fields of the record; they reach the disk with the next step."""
        self.run = msgspec.structs.replace(self.run, **changes)

    def add_messages(self, messages: Sequence[Message], dropped: int = 0) -> None:
        """Keep warnings and errors, up to a bound; count the rest."""
        notable = [message for message in messages if message.level != "info"]
        room = max(0, MAX_MESSAGES - len(self.run.messages))
        self.update(
            messages=(*self.run.messages, *notable[:room]),
            messages_dropped=self.run.messages_dropped + dropped + len(notable[room:]),
        )

    @contextmanager
    def step(self, name: str) -> Iterator[StepNotes]:
        """Record one step. An exception that leaves the block is recorded as its failure and goes on."""
        notes = StepNotes()
        started = self._clock()
        self._put(Step(name=name, started_at=started))
        self._write(durable=False)
        try:
            yield notes
        except InterruptedRunError as exc:
            notes.outcome, notes.reason = Outcome.INTERRUPTED, exc.message
            raise
        except DeferredError as exc:
            notes.outcome, notes.reason = Outcome.DEFERRED, exc.message
            raise
        except BkpError as exc:
            notes.outcome, notes.reason = Outcome.FAILURE, exc.message
            raise
        except BaseException as exc:
            notes.outcome, notes.reason = Outcome.FAILURE, f"defect: {type(exc).__name__}"
            raise
        finally:
            self._put(
                Step(
                    name=name,
                    started_at=started,
                    ended_at=self._clock(),
                    outcome=notes.outcome,
                    exit_code=notes.exit_code,
                    reason=notes.reason,
                    message_ids=tuple(dict.fromkeys(notes.message_ids)),
                    counters=notes.counters,
                )
            )

    def _put(self, step: Step) -> None:
        others = tuple(each for each in self.run.steps if each.name != step.name)
        self.update(steps=(*others, step))

    def ended(self, outcome: Outcome, reason: str | None) -> Run:
        """Give the run its end, in memory alone; return the record.

        A signal may come between any two lines, those that begin or end a step among them: no step stays open.
        """
        now = self._clock()
        steps = tuple(
            step
            if step.ended_at is not None
            else msgspec.structs.replace(step, ended_at=now, outcome=outcome, reason=reason)
            for step in self.run.steps
        )
        self.update(outcome=outcome, reason=reason, ended_at=now, steps=steps)
        return self.run

    def end(self, outcome: Outcome, reason: str | None) -> Run:
        """Write the end of the run into history, latest and success; return the record as it is there."""
        self.run = self._store.write_ended(self.ended(outcome, reason))
        return self.run


def worst(steps: Sequence[Step]) -> tuple[Outcome, str | None]:
    """Return the worst outcome among steps and its reason. A skipped step does not make a run worse."""
    found: tuple[Outcome, str | None] = (Outcome.SUCCESS, None)
    for step in steps:
        if _RANK.get(step.outcome, 2) > _RANK[found[0]]:
            found = (step.outcome, f"{step.name}: {step.reason}" if step.reason else step.name)
    return found
