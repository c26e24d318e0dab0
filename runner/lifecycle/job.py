"""The life of a run, the same for every job: lock, record, steps, end, mail. A job's own work is a function."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from bkp import pauses
from bkp.clock import local_zone
from bkp.errors import (
    BkpError,
    DeferredError,
    ExitCode,
    GoesOnError,
    InterruptedRunError,
    LockHeldError,
    StateError,
)
from bkp.liveness import is_alive
from bkp.patience import NoAnswerError, in_time
from bkp.state.fields import Outcome
from bkp.state.parked import park, record_parked, with_parked
from bkp.state.records import Message, Run
from bkp.state.store import value_of
from runner.lifecycle.lock import reconcile_lock, target_lock
from runner.lifecycle.log import LogFileError
from runner.lifecycle.reconcile import reconcile
from runner.lifecycle.recorder import worst

if TYPE_CHECKING:
    from runner.lifecycle.log import Log
    from runner.lifecycle.recorder import Recorder
    from runner.lifecycle.scope import RunScope

EXIT_CODES = {
    Outcome.RUNNING: ExitCode.SUCCESS,  # it goes on without us, as it is meant to
    Outcome.SUCCESS: ExitCode.SUCCESS,
    Outcome.WARNING: ExitCode.WARNING,
    Outcome.FAILURE: ExitCode.FAILURE,
    Outcome.SKIPPED: ExitCode.NOT_NOW,
    Outcome.DEFERRED: ExitCode.NOT_NOW,
    Outcome.INTERRUPTED: ExitCode.INTERRUPTED,
}
_UNSTARTED: dict[type[BkpError], Outcome] = {LockHeldError: Outcome.SKIPPED, InterruptedRunError: Outcome.INTERRUPTED}


def run_job(scope: RunScope) -> Run:
    """Run one job on one target and return its record. Whatever happens, it is recorded and mailed.

    Runs that died are found, given their end, and mailed first: nobody else will tell of them. Where nothing can be
    recorded (the state directory cannot be written), the work is done all the same, but nothing is removed; the run is
    a failure, in the returned record, the mail and the exit code, and is recorded when the state can be written again.
    """
    context, log = scope.context, scope.log
    try:
        scope.signals.arm()
        for died in _reconciled(scope):
            _send_mail(scope, died)
        kind, wait = scope.job.spec.kind, context.options.lock_wait
        with target_lock(scope.lock_folder, kind, scope.holder(), wait=wait, on_wait=log.info) as descriptor:
            ended = _run_locked(replace(scope, context=replace(context, keep_open=(descriptor,))))
            # Still under the lock: the next run's record must not be overwritten by what became of this mail.
            ended = _send_mail(scope, ended)
    except BkpError as exc:
        scope.signals.disarm()
        log.error(str(exc))
        ended = _send_mail(scope, _record_unstarted(scope, exc))
    if scope.recorder.unrecorded:
        _park(scope, ended)
    log.close()
    return ended


def _reconciled(scope: RunScope) -> list[Run]:
    """Give runs that died their end. What goes wrong with that is a warning of tonight's run, which goes on."""

    def trouble(text: str) -> None:
        scope.context.tell("warning", [text])

    try:
        with reconcile_lock(scope.lock_folder):
            for kept in record_parked(scope.lock_folder, scope.store):
                scope.log.info(f"{kept.job} on {kept.target}: the run {kept.run_id} could not be recorded, and is now")
            found = reconcile(scope.store, scope.context.clock, is_alive, trouble)
    except StateError as exc:
        trouble(exc.message)
        return []
    for died in found:
        scope.log.warning(f"{died.job} on {died.target}: {died.reason}")
    return found


def _run_locked(scope: RunScope) -> Run:
    recorder, log, run = scope.recorder, scope.log, scope.recorder.run
    latest = value_of(with_parked(scope.store.read_job(run.job, run.target), scope.lock_folder).latest)
    recorder.follow_on(latest)
    try:
        obstacles = scope.store.clear_the_way(run.job, run.target)
    except StateError as exc:
        recorder.trouble, obstacles = exc, []
    recorder.add_messages([Message(level="warning", text=text) for text in obstacles])
    log.say_all(recorder.run.messages)
    recorder.begin()
    if recorder.trouble is not None:
        log.error(f"{recorder.trouble.message}: the work is done all the same, but nothing is removed")
    run = recorder.run
    # Nothing is taken for a success before it is known to be one: a signal may come between any two lines.
    outcome: Outcome = Outcome.INTERRUPTED
    reason: str | None = "interrupted"
    try:
        path = Path(scope.context.config.paths.log) / f"{run.job}-{run.target}-{run.run_id}.log"
        _open_log(log, path, recorder, scope.context.patience)
        log.detail(f"{run.job} on {run.target}, run {run.run_id}, bkp {run.versions['bkp']}")
        _defer_if_paused(scope)
        scope.job.work(scope.job.open(scope.context))
        _insist_on_a_record(recorder)
        outcome, reason = _verdict(recorder, log)
        scope.signals.disarm()
    except GoesOnError as exc:
        log.info(exc.message)
        outcome, reason = (Outcome.RUNNING, None) if recorder.trouble is None else _unknown_end(recorder.trouble)
    except InterruptedRunError as exc:
        outcome, reason = _interrupted(recorder, exc.message)
        log.error(exc.message)
    except DeferredError as exc:
        outcome, reason = Outcome.DEFERRED, exc.message
        log.info(f"not now: {exc.message}")
    except BkpError as exc:
        outcome, reason = Outcome.FAILURE, _with_step(recorder.run, exc.message)
        recorder.update(remedy=exc.remedy)
        log.error(str(exc))
    except Exception as exc:  # noqa: BLE001  # a defect of ours must end as a recorded failure, not as silence
        outcome, reason = Outcome.FAILURE, f"defect in bkp: {type(exc).__name__}"
        log.error(f"{reason}: the traceback is in the log file")
        log.detail(_traceback(exc))
    finally:
        scope.signals.disarm()
        scope.context.options.progress.finish()  # before what may fail: it gives the terminal its cursor back
        known = len(recorder.run.messages)
        ended = recorder.left() if outcome is Outcome.RUNNING else recorder.end(outcome, reason)
        log.say_all(ended.messages[known:])
    return ended


def _interrupted(recorder: Recorder, why: str) -> tuple[Outcome, str | None]:
    """Return what a signal makes of the run: nothing, where the work goes on without this process."""
    if recorder.run.outlives_process and recorder.trouble is None:
        return Outcome.RUNNING, None
    return Outcome.INTERRUPTED, why


def _unknown_end(trouble: StateError) -> tuple[Outcome, str]:
    """Return the end of a run whose work goes on, but of which nobody could record that."""
    return Outcome.FAILURE, f"{trouble.message}: what was begun goes on, and its end will not be recorded"


def _defer_if_paused(scope: RunScope) -> None:
    """Raise `DeferredError` for a run by the timer of a job that is paused. A person may run it all the same.

    Work that goes on already is looked after: a pause does not end it, and its record must not forget it.
    """
    run, context = scope.recorder.run, scope.context
    if not context.options.by_timer or run.outlives_process:
        return
    reading = scope.store.read_job(run.job, run.target).pause
    if (pause := pauses.in_force(reading, run.job, run.target, context.clock())) is not None:
        until = f"{pause.until.astimezone(local_zone()):%Y-%m-%d %H:%M %Z}"
        raise DeferredError(f"{pause.by} paused it until {until}: {pause.reason}")


def _insist_on_a_record(recorder: Recorder) -> None:
    """Raise `StateError` for work that was done, and whose record could not be written all the while."""
    if recorder.trouble is not None:
        raise recorder.trouble


def _open_log(log: Log, path: Path, recorder: Recorder, patience: float) -> None:
    """Begin the log file. Without one a backup is still a backup: that is a warning."""
    try:
        in_time(partial(log.open, path), patience)
    except LogFileError as exc:
        recorder.add_messages((Message(level="warning", text=exc.message),))
        log.warning(str(exc))
    except NoAnswerError as exc:
        text = f"cannot write log file {path}: {exc.strerror}"
        recorder.add_messages((Message(level="warning", text=text),))
        log.warning(text)
    else:
        recorder.update(log=str(path))


def _verdict(recorder: Recorder, log: Log) -> tuple[Outcome, str | None]:
    """Return what work that came to its end means for the run."""
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


def _record_unstarted(scope: RunScope, why: BkpError) -> Run:
    """Record a run that never got to its work: in the history always, as the latest unless that is a run at work."""
    recorder = scope.recorder
    if recorder.run.ended_at is not None:  # its end is known; at worst it could not be written
        recorder.unrecorded = isinstance(why, StateError)
        return _failed(recorder.run, why) if recorder.unrecorded else recorder.run
    recorder.update(remedy=why.remedy)
    ended = recorder.ended(_UNSTARTED.get(type(why), Outcome.FAILURE), why.message)
    try:
        return scope.store.write_unstarted(ended)
    except StateError as exc:
        if exc.message != why.message:
            scope.log.error(str(exc))
        recorder.unrecorded = True
        return _failed(ended, exc)


def _park(scope: RunScope, run: Run) -> None:
    """Keep the end of a run that the state cannot take, so that status and the next run know of it."""
    try:
        park(scope.lock_folder, run)
    except StateError as exc:
        scope.log.error(f"{exc.message}: once the state can be written again, this run will not be known")


def _failed(run: Run, why: BkpError) -> Run:
    """Return the run as one that failed because it could not be recorded; what it failed of before comes first."""
    if not run.outcome.is_good and run.reason is not None:
        known = why.message in run.reason
        return run if known else msgspec.structs.replace(run, reason=f"{run.reason}; {why.message}")
    return msgspec.structs.replace(run, outcome=Outcome.FAILURE, reason=why.message, remedy=why.remedy)


def _send_mail(scope: RunScope, run: Run) -> Run:
    """Mail a run that has ended, and put what became of that into its record."""
    log, store = scope.log, scope.store
    if run.outcome is Outcome.RUNNING:
        return run
    try:
        posted = scope.mail(run)
    except InterruptedRunError:
        raise  # this run has not begun yet: the mail was about one that died
    except Exception as exc:  # noqa: BLE001  # the run has ended; a mail must not change what became of it
        log.error(f"the report could not be mailed: defect in bkp: {type(exc).__name__}")
        log.detail(_traceback(exc))
        result: Literal["sent", "kept", "failed"] = "failed"
    else:
        if posted is None:
            return run
        result = posted.result
        if result != "sent":
            kept = "; it is kept, and sent later" if result == "kept" else ""
            log.error(f"the report could not be mailed: {posted.reason}{kept}")
    run = msgspec.structs.replace(run, mail=result)
    latest = value_of(store.read_job(run.job, run.target).latest)
    if latest is not None and latest.run_id == run.run_id and latest.ended_at is not None:
        try:
            store.replace_latest(run)
        except StateError as exc:
            log.error(str(exc))
            scope.recorder.unrecorded = True
            return _failed(run, exc)
    return run


def exit_code(run: Run) -> ExitCode:
    """Return what the program ends with for this run: the one mapping from outcomes to exit codes."""
    if run.mail in {"kept", "failed"} and run.outcome.is_good:
        return ExitCode.WARNING
    return EXIT_CODES[run.outcome]
