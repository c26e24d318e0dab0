"""The life of a run, the same for every job: lock, record, steps, end, mail. A job's own work is a function."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bkp import __version__
from bkp.errors import BkpError, ExitCode, InterruptedRunError, LockHeldError, StateError
from bkp.liveness import is_alive, this_process
from bkp.state.fields import Outcome
from bkp.state.records import LockHolder, Message, Run
from bkp.state.store import ENDED_WELL, StateStore, value_of
from runner.lifecycle.context import JobContext, Options, open_context
from runner.lifecycle.lock import reconcile_lock, target_lock
from runner.lifecycle.reconcile import reconcile
from runner.lifecycle.recorder import Recorder, worst

if TYPE_CHECKING:
    from bkp.clock import Clock
    from bkp.config.model import Config
    from runner.lifecycle.log import Log
    from runner.lifecycle.signals import EndingSignals

Body = Callable[[JobContext], None]
Mailer = Callable[[Run, "Run | None"], "str"]

EXIT_CODES = {
    Outcome.SUCCESS: ExitCode.SUCCESS,
    Outcome.WARNING: ExitCode.WARNING,
    Outcome.FAILURE: ExitCode.FAILURE,
    Outcome.INTERRUPTED: ExitCode.INTERRUPTED,
}


def run_job(
    job: str,
    target: str,
    config: Config,
    body: Body,
    *,
    options: Options,
    log: Log,
    clock: Clock,
    mail: Mailer,
    signals: EndingSignals,
) -> Run:
    """Run one job on one target and return its record. Whatever happens, it is recorded and mailed.

    Runs that died are found, given their end, and mailed first: nobody else will tell of them. Where nothing can be
    recorded (the state directory cannot be written), the returned record, the mail and the exit code still say so.
    """
    store = StateStore(Path(config.paths.state))
    recorder = Recorder(store, _new_run(job, target, config, clock), clock)
    run = recorder.run
    holder = LockHolder(run_id=run.run_id, job=job, target=target, started_at=run.started_at, process=run.process)
    previous: Run | None = None
    try:
        signals.arm()
        for died in _reconciled(config, store, recorder, clock, log):
            _send_mail(died, None, store, log, mail)
        with target_lock(Path(config.paths.lock), holder, wait=options.lock_wait, on_wait=log.info) as descriptor:
            previous = value_of(store.read_job(job, target).latest)
            ended = _run_locked(config, body, options, log, clock, store, recorder, descriptor, signals)
            # Still under the lock: the next run's record must not be overwritten by what became of this mail.
            ended = _send_mail(ended, previous, store, log, mail)
    except BkpError as exc:
        signals.disarm()
        log.error(str(exc))
        ended = _record_unstarted(recorder, exc, store, log)
        ended = _send_mail(ended, previous, store, log, mail)
    log.close()
    return ended


def _reconciled(config: Config, store: StateStore, recorder: Recorder, clock: Clock, log: Log) -> list[Run]:
    """Give runs that died their end. What goes wrong with that is a warning of tonight's run, which goes on."""

    def trouble(text: str) -> None:
        recorder.add_messages((Message(level="warning", text=text),))
        log.warning(text)

    try:
        with reconcile_lock(Path(config.paths.lock)):
            found = reconcile(store, clock, is_alive, trouble)
    except StateError as exc:
        trouble(exc.message)
        return []
    for died in found:
        log.warning(f"{died.job} on {died.target}: {died.reason}")
    return found


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


def _run_locked(
    config: Config,
    body: Body,
    options: Options,
    log: Log,
    clock: Clock,
    store: StateStore,
    recorder: Recorder,
    descriptor: int,
    signals: EndingSignals,
) -> Run:
    obstacles = store.clear_the_way(recorder.run.job, recorder.run.target)
    recorder.add_messages([Message(level="warning", text=text) for text in obstacles])
    log.say_all(recorder.run.messages)
    recorder.begin()
    run = recorder.run
    # Nothing is taken for a success before it is known to be one: a signal may come between any two lines.
    outcome: Outcome = Outcome.INTERRUPTED
    reason: str | None = "interrupted"
    try:
        _open_log(log, Path(config.paths.log) / f"{run.job}-{run.target}-{run.run_id}.log", recorder)
        log.detail(f"{run.job} on {run.target}, run {run.run_id}, bkp {run.versions['bkp']}")
        body(open_context(run, config, options, log, clock, store, recorder, descriptor))
        outcome, reason = _verdict(recorder, log)
        signals.disarm()
    except InterruptedRunError as exc:
        outcome, reason = Outcome.INTERRUPTED, exc.message
        log.error(exc.message)
    except BkpError as exc:
        outcome, reason = Outcome.FAILURE, _with_step(recorder.run, exc.message)
        recorder.update(remedy=exc.remedy)
        log.error(str(exc))
    except Exception as exc:  # noqa: BLE001  # a defect of ours must end as a recorded failure, not as silence
        outcome, reason = Outcome.FAILURE, f"defect in bkp: {type(exc).__name__}"
        log.error(f"{reason}: the traceback is in the log file")
        log.detail(_traceback(exc))
    finally:
        signals.disarm()
        options.progress.finish()  # before what may fail: it gives the terminal its cursor back
        known = len(recorder.run.messages)
        ended = recorder.end(outcome, reason)
        log.say_all(ended.messages[known:])
    return ended


def _open_log(log: Log, path: Path, recorder: Recorder) -> None:
    """Begin the log file. Without one a backup is still a backup: that is a warning."""
    try:
        log.open(path)
    except BkpError as exc:
        recorder.add_messages((Message(level="warning", text=exc.message),))
        log.warning(str(exc))
    else:
        recorder.update(log=str(path))


def _verdict(recorder: Recorder, log: Log) -> tuple[Outcome, str | None]:
    """Return what a body that came to its end means for the run."""
    if log.trouble is not None:
        recorder.add_messages((Message(level="warning", text=log.trouble),))
    outcome, reason = worst(recorder.run.steps)
    if outcome is Outcome.SUCCESS and any(each.level != "info" for each in recorder.run.messages):
        return Outcome.WARNING, recorder.run.messages[0].text
    return outcome, reason


def _with_step(run: Run, message: str) -> str:
    failed = next((step.name for step in run.steps if step.outcome is Outcome.FAILURE), None)
    return f"{failed}: {message}" if failed else message


def _traceback(exc: BaseException) -> str:
    import traceback  # only wanted for a defect

    return "".join(traceback.format_exception(exc))


def _record_unstarted(recorder: Recorder, why: BkpError, store: StateStore, log: Log) -> Run:
    """Record a run that never got to its work: in the history always, as the latest unless that is a run at work."""
    if recorder.run.ended_at is not None:  # its end is known; at worst it could not be written
        return _failed(recorder.run, why) if isinstance(why, StateError) else recorder.run
    outcome = _UNSTARTED.get(type(why), Outcome.FAILURE)
    recorder.update(remedy=why.remedy)
    ended = recorder.ended(outcome, why.message)
    try:
        return store.write_unstarted(ended)
    except StateError as exc:
        if exc.message != why.message:
            log.error(str(exc))
        return _failed(ended, exc)


_UNSTARTED = {LockHeldError: Outcome.SKIPPED, InterruptedRunError: Outcome.INTERRUPTED}


def _failed(run: Run, why: BkpError) -> Run:
    return msgspec.structs.replace(run, outcome=Outcome.FAILURE, reason=why.message, remedy=why.remedy)


def _send_mail(run: Run, previous: Run | None, store: StateStore, log: Log, mail: Mailer) -> Run:
    try:
        result = mail(run, previous)
    except InterruptedRunError:
        raise  # this run has not begun yet: the mail was about one that died
    except Exception as exc:  # noqa: BLE001  # the run has ended; a mail must not change what became of it
        result = f"defect in bkp: {type(exc).__name__}"
        log.detail(_traceback(exc))
    if result == "not wanted":
        return run
    if result != "sent":
        log.error(f"the report could not be mailed: {result}")
    run = msgspec.structs.replace(run, mail="sent" if result == "sent" else "failed")
    latest = value_of(store.read_job(run.job, run.target).latest)
    if latest is not None and latest.run_id == run.run_id and latest.ended_at is not None:
        try:
            store.replace_latest(run)
        except StateError as exc:
            log.error(str(exc))
            return _failed(run, exc)
    return run


def exit_code(run: Run) -> ExitCode:
    """Return what the program ends with for this run: the one mapping from outcomes to exit codes."""
    if run.outcome is Outcome.SKIPPED:
        return ExitCode.LOCKED
    if run.mail == "failed" and run.outcome in ENDED_WELL:
        return ExitCode.WARNING
    return EXIT_CODES[run.outcome]
