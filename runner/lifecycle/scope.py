"""One run and all that belongs to it, in one object: what the parts of its life hand to each other."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bkp import __version__
from bkp.liveness import this_process
from bkp.state.fields import Outcome
from bkp.state.records import LockHolder, Run
from bkp.state.store import StateStore
from runner.lifecycle.context import RunContext
from runner.lifecycle.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

    from bkp.clock import Clock
    from bkp.config.model import Config
    from bkp.mail.post import Posted
    from runner.jobs.model import RunnerJob
    from runner.lifecycle.context import Options
    from runner.lifecycle.log import Log
    from runner.lifecycle.signals import EndingSignals

    Mailer = Callable[[Run], Posted | None]


@dataclass(frozen=True)
class RunScope:
    """One run: its job, its context, who mails it, and the signals that may end it."""

    job: RunnerJob[Any]
    context: RunContext
    mail: Mailer
    signals: EndingSignals

    @property
    def recorder(self) -> Recorder:
        """Return what holds and writes its record."""
        return self.context.recorder

    @property
    def log(self) -> Log:
        """Return what it says."""
        return self.context.log

    @property
    def store(self) -> StateStore:
        """Return the state directory."""
        return self.context.store

    @property
    def lock_folder(self) -> Path:
        """Return where locks lie."""
        return Path(self.context.config.paths.lock)

    def holder(self) -> LockHolder:
        """Return what the lock file says of this run."""
        run = self.recorder.run
        return LockHolder(
            run_id=run.run_id, job=run.job, target=run.target, started_at=run.started_at, process=run.process
        )


def new_scope(
    job: RunnerJob[Any],
    target: str,
    config: Config,
    *,
    options: Options,
    log: Log,
    clock: Clock,
    mail: Mailer,
    signals: EndingSignals,
) -> RunScope:
    """Return the scope of a run that begins now."""
    store = StateStore(Path(config.paths.state))
    recorder = Recorder(store, _new_run(job.spec.name, target, config, clock), clock)
    return RunScope(job, RunContext(config, target, store, clock, recorder, log, options), mail, signals)


def _new_run(job: str, target: str, config: Config, clock: Clock) -> Run:
    now = clock()
    schedule = config.job(job).schedule
    return Run(
        run_id=f"{now:%Y%m%dT%H%M%SZ}-{os.urandom(4).hex()}",
        job=job,
        target=target,
        host=config.host or os.uname().nodename,
        outcome=Outcome.RUNNING,
        started_at=now,
        process=this_process(),
        schedule=str(schedule) if schedule else None,
        versions={"bkp": __version__},
    )
