"""The life of a run at its seams: what is on disk at every moment, and what becomes of a run that dies."""

from __future__ import annotations

import io
import signal
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from bkp.config import parse_config
from bkp.errors import DeferredError, ExitCode, InterruptedRunError, StepFailedError
from bkp.jobs import CHECK
from bkp.liveness import this_process
from bkp.secrets import Secret
from bkp.state.fields import Outcome
from bkp.state.reading import Readable
from bkp.state.records import Ended, Message, Process, Run, Step
from bkp.state.store import StateStore
from runner.borg_session import BorgSession, open_borg
from runner.jobs.check import CHECK_JOB
from runner.jobs.model import RunnerJob
from runner.lifecycle.context import Options
from runner.lifecycle.job import exit_code, run_job
from runner.lifecycle.log import Log
from runner.lifecycle.reconcile import reconcile
from runner.lifecycle.recorder import MAX_MESSAGES, Recorder, worst
from runner.lifecycle.scope import new_scope
from runner.lifecycle.signals import EndingSignals, ending_signals_raise
from runner.notify.decide import recovered, wanted
from runner.progress import JournalProgress, NoProgress, describe

if TYPE_CHECKING:
    from collections.abc import Callable

    from bkp.config.model import Config
    from bkp.mail.post import Posted

START = datetime(2027, 1, 1, 1, 30, tzinfo=UTC)


class Ticking:
    """A clock that goes on by a second each time it is read."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def _run(**changes: object) -> Run:
    run = Run(
        run_id="20270101T013000Z-aaaaaaaa",
        job="nightly",
        target="main",
        host="h",
        outcome=Outcome.RUNNING,
        started_at=START,
        process=this_process(),
    )
    return msgspec.structs.replace(run, **changes)


def _latest(store: StateStore, job: str = "nightly") -> Run:
    reading = store.read_job(job, "main").latest
    assert isinstance(reading, Readable)
    return reading.value


# ---------------------------------------------------------------- recorder


def test_every_step_is_on_disk_before_its_work_begins(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    recorder = Recorder(store, _run(), Ticking())
    recorder.begin()
    assert _latest(store).outcome is Outcome.RUNNING
    with recorder.step("create"):
        (step,) = _latest(store).steps
        assert (step.name, step.outcome, step.ended_at) == ("create", Outcome.RUNNING, None)
    with recorder.step("prune"):
        assert [step.outcome for step in _latest(store).steps] == [Outcome.SUCCESS, Outcome.RUNNING]


@pytest.mark.parametrize(
    ("error", "outcome", "reason"),
    [
        (StepFailedError("no"), Outcome.FAILURE, "no"),
        (InterruptedRunError("SIGTERM"), Outcome.INTERRUPTED, "interrupted by SIGTERM"),
        (ZeroDivisionError("secret detail"), Outcome.FAILURE, "defect: ZeroDivisionError"),
    ],
)
def test_an_exception_is_the_steps_end_and_goes_on(
    tmp_path: Path, error: Exception, outcome: Outcome, reason: str
) -> None:
    recorder = Recorder(StateStore(tmp_path), _run(), Ticking())
    with pytest.raises(type(error)), recorder.step("create"):
        raise error
    (step,) = recorder.run.steps
    assert (step.outcome, step.reason) == (outcome, reason)
    assert step.ended_at is not None


def test_no_step_stays_open_in_a_run_that_has_ended(tmp_path: Path) -> None:
    recorder = Recorder(StateStore(tmp_path), _run(steps=(Step(name="create", started_at=START),)), Ticking())
    ended = recorder.end(Outcome.INTERRUPTED, "interrupted by SIGTERM")
    (step,) = ended.steps
    assert (step.outcome, step.reason, step.ended_at) == (ended.outcome, ended.reason, ended.ended_at)
    assert _latest(StateStore(tmp_path)) == ended


def test_messages_are_kept_up_to_a_bound_and_the_rest_is_counted(tmp_path: Path) -> None:
    recorder = Recorder(StateStore(tmp_path), _run(), Ticking())
    recorder.add_messages([Message(level="info", text="not notable")])
    recorder.add_messages([Message(level="warning", text=str(number)) for number in range(MAX_MESSAGES + 7)], dropped=5)
    assert [message.text for message in recorder.run.messages] == [str(number) for number in range(MAX_MESSAGES)]
    assert recorder.run.messages_dropped == 12


def test_the_worst_step_speaks_for_the_run() -> None:
    def step(outcome: Outcome) -> Step:
        return Step(name=f"a {outcome}", started_at=START, outcome=outcome, reason="why")

    assert worst([]) == (Outcome.SUCCESS, None)
    assert worst([step(Outcome.SUCCESS), step(Outcome.SKIPPED)]) == (Outcome.SUCCESS, None)
    steps = [step(Outcome.WARNING), step(Outcome.FAILURE), step(Outcome.SUCCESS)]
    assert worst(steps) == (Outcome.FAILURE, "a failure: why")
    assert worst([*steps, step(Outcome.INTERRUPTED)])[0] is Outcome.INTERRUPTED


# ---------------------------------------------------------------- reconcile


def test_a_dead_run_is_given_its_end_once(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    open_step = Step(name="create", started_at=START)
    store.write_running(_run(steps=(open_step,), process=Process(pid=1, started_ticks=0, boot_id="x")), durable=True)
    (mended,) = reconcile(store, Ticking(), lambda _: False, pytest.fail)
    assert mended.outcome is Outcome.INTERRUPTED
    assert "died during create without recording its end (pid 1)" in (mended.reason or "")
    assert [step.outcome for step in mended.steps] == [Outcome.INTERRUPTED]
    assert _latest(store) == mended
    assert store.ledger.runs() == [mended]
    assert reconcile(store, Ticking(), lambda _: False, pytest.fail) == []
    assert store.ledger.runs() == [mended]


@pytest.mark.parametrize("alive", [True, None])
def test_a_run_that_lives_or_may_live_is_left_alone(tmp_path: Path, alive: bool | None) -> None:
    store = StateStore(tmp_path)
    store.write_running(_run(), durable=True)
    assert reconcile(store, Ticking(), lambda _: alive, pytest.fail) == []
    assert _latest(store).outcome is Outcome.RUNNING


def test_a_run_whose_work_goes_on_without_a_process_is_not_interrupted(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    store.write_running(_run(outlives_process=True), durable=True)
    assert reconcile(store, Ticking(), lambda _: False, pytest.fail) == []
    assert _latest(store).outcome is Outcome.RUNNING


def test_a_run_that_died_after_its_end_was_in_the_history_keeps_that_end(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    store.write_running(_run(), durable=True)
    ended = _run(outcome=Outcome.SUCCESS, ended_at=START + timedelta(minutes=5))
    store.ledger.append(ended)
    assert reconcile(store, Ticking(), lambda _: False, pytest.fail) == [ended]
    state = store.read_job("nightly", "main")
    assert isinstance(state.success, Readable)
    assert state.success.value == _latest(store) == ended
    assert store.ledger.runs() == [ended]


def test_a_dead_run_whose_end_cannot_be_recorded_is_said_and_stops_nothing(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    store.write_running(_run(), durable=True)
    folder = store.job_dir("nightly", "main")
    said: list[str] = []
    subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)
    try:
        store.write_running(_run(), durable=True)
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        assert reconcile(store, Ticking(), lambda _: False, said.append) == []
    finally:
        subprocess.run(["umount", folder], check=True)
    assert "cannot be recorded" in said[0]
    assert "Read-only file system" in said[0]


def test_a_dead_run_is_given_its_end_beside_a_history_that_cannot_be_read(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    store.write_running(_run(), durable=True)
    store.ledger.path.symlink_to("elsewhere")
    (mended,) = reconcile(store, Ticking(), lambda _: False, pytest.fail)
    assert mended.outcome is Outcome.INTERRUPTED
    assert _latest(store) == mended


# ---------------------------------------------------------------- a whole run with a body of our own


def _config(tmp_path: Path) -> Config:
    (tmp_path / "env").write_text("export BORG_PASSPHRASE='the canary of this test'\n")
    (tmp_path / "env").chmod(0o600)
    return parse_config(
        f"""schema: 1
paths: {{state: {tmp_path}/state, log: {tmp_path}/log, lock: {tmp_path}/lock}}
repositories: {{main: {{path: {tmp_path}/repo, passphrase_file: {tmp_path}/env, sources: [docs]}}}}
sources: {{docs: {{path: {tmp_path}/docs}}}}
mail: {{when: never}}
"""
    )


def _go(
    tmp_path: Path, body: Callable[[BorgSession], None], mail: Callable[[Run], Posted | None] | None = None
) -> tuple[Run, str]:
    stream = io.StringIO()
    with ending_signals_raise() as signals:
        return _go_on(tmp_path, body, mail, stream, signals)


def _go_on(
    tmp_path: Path,
    body: Callable[[BorgSession], None],
    mail: Callable[[Run], Posted | None] | None,
    stream: io.StringIO,
    signals: EndingSignals,
) -> tuple[Run, str]:
    scope = new_scope(
        RunnerJob(CHECK, open_borg, body, CHECK_JOB.dry_run, CHECK_JOB.rights),
        "main",
        _config(tmp_path),
        options=Options(lock_wait=0, progress=NoProgress()),
        log=Log(Ticking(), stream=stream),
        clock=Ticking(),
        mail=mail or (lambda _run: None),
        signals=signals,
    )
    run = run_job(scope)
    return run, stream.getvalue()


def test_a_defect_is_a_recorded_failure_with_its_traceback_in_the_log_and_no_secret(tmp_path: Path) -> None:
    def body(context: BorgSession) -> None:
        secret = (tmp_path / "env").read_text()
        with context.recorder.step("check"):
            raise RuntimeError(secret)

    run, said = _go(tmp_path, body)
    assert (run.outcome, run.reason) == (Outcome.FAILURE, "defect in bkp: RuntimeError")
    assert exit_code(run) is ExitCode.FAILURE
    assert _latest(StateStore(tmp_path / "state"), "check") == run
    assert run.log is not None
    log = Path(run.log).read_text()
    assert "Traceback" in log
    assert "RuntimeError" in log
    everything = said + "".join(path.read_text() for path in (tmp_path / "state").rglob("*") if path.is_file()) + log
    assert "the canary" not in everything
    assert "***" in log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_in_the_body_is_an_interruption(tmp_path: Path, number: signal.Signals) -> None:
    run, _ = _go(tmp_path, lambda _: signal.raise_signal(number))
    assert (run.outcome, run.reason) == (Outcome.INTERRUPTED, f"interrupted by {number.name}")
    assert exit_code(run) is ExitCode.INTERRUPTED


def test_a_failure_is_never_turned_into_a_success_by_a_signal_that_comes_next(tmp_path: Path) -> None:
    class UntimelyError(StepFailedError):
        @property
        def message(self) -> str:
            signal.raise_signal(signal.SIGTERM)
            return "late"

        @message.setter
        def message(self, _text: str) -> None:
            pass

    def body(_context: BorgSession) -> None:
        raise UntimelyError("x")

    run, _ = _go(tmp_path, body)
    assert run.outcome in {Outcome.INTERRUPTED, Outcome.FAILURE}
    assert [each.outcome for each in StateStore(tmp_path / "state").ledger.runs()] == [run.outcome]


def test_a_mail_that_cannot_even_be_composed_changes_nothing_but_the_mails_state(tmp_path: Path) -> None:
    def mail(_run: Run) -> Posted | None:
        raise UnicodeEncodeError("utf-8", "x", 0, 1, "no")

    run, said = _go(tmp_path, lambda _: None, mail)
    assert (run.outcome, run.mail) == (Outcome.SUCCESS, "failed")
    assert exit_code(run) is ExitCode.WARNING
    assert "could not be mailed: defect in bkp: UnicodeEncodeError" in said
    assert _latest(StateStore(tmp_path / "state"), "check") == run


def test_the_mail_is_told_how_the_run_before_went(tmp_path: Path) -> None:
    told: list[Ended | None] = []

    def mail(run: Run) -> None:
        told.append(run.before)

    first, _ = _go(tmp_path, lambda _: None, mail)
    _go(tmp_path, lambda _: None, mail)
    assert told == [None, first.end]


def test_a_deferred_run_is_no_failure_and_what_came_before_it_stands(tmp_path: Path) -> None:
    def fail(_session: BorgSession) -> None:
        raise StepFailedError("the disk is on fire")

    def defer(session: BorgSession) -> None:
        with session.recorder.step("begin"):
            raise DeferredError("the pool resilvers")

    failed, _ = _go(tmp_path, fail)
    deferred, _ = _go(tmp_path, defer)
    assert (deferred.outcome, deferred.reason) == (Outcome.DEFERRED, "the pool resilvers")
    assert [step.outcome for step in deferred.steps] == [Outcome.DEFERRED]
    assert exit_code(deferred) is ExitCode.NOT_NOW
    assert not wanted(deferred, "problems")
    assert deferred.end == failed.end
    works, _ = _go(tmp_path, lambda _: None)
    assert works.before == failed.end
    assert recovered(works)


def test_each_outcome_has_its_exit_code() -> None:
    codes = {
        Outcome.SUCCESS: 0,
        Outcome.WARNING: 1,
        Outcome.FAILURE: 3,
        Outcome.SKIPPED: 4,
        Outcome.DEFERRED: 4,
        Outcome.INTERRUPTED: 130,
    }
    for outcome, code in codes.items():
        assert exit_code(_run(outcome=outcome)) == code
        for mail in ("kept", "failed"):
            assert exit_code(_run(outcome=outcome, mail=mail)) == max(code, 1)


# ---------------------------------------------------------------- signals


def test_only_the_first_ending_signal_is_raised_and_none_after_disarming() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with ending_signals_raise() as signals:
        signals.arm()
        with pytest.raises(InterruptedRunError, match="SIGTERM"):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGHUP)
        signals.disarm()
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_between_two_runs_is_remembered_and_ends_the_next_at_once() -> None:
    with ending_signals_raise() as signals:
        signals.arm()
        signals.disarm()
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGHUP)
        assert signals.received == "SIGTERM"
        with pytest.raises(InterruptedRunError, match="SIGTERM"):
            signals.arm()


def test_once_the_work_is_done_no_signal_changes_what_the_program_ends_with() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        with ending_signals_raise():
            pass
        assert {number: signal.getsignal(number) for number in before} == before
        with ending_signals_raise(until_the_end=True):
            pass
        assert {signal.getsignal(number) for number in before} == {signal.SIG_IGN}
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_signal_that_is_ignored_from_outside_stays_ignored() -> None:
    """As nohup(1) has it with SIGHUP."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ending_signals_raise() as signals:
            signals.arm()
            signal.raise_signal(signal.SIGHUP)
            assert signals.received is None
    finally:
        signal.signal(signal.SIGHUP, before)


# ---------------------------------------------------------------- log and progress


def test_the_log_masks_secrets_and_shows_control_characters(tmp_path: Path) -> None:
    stream = io.StringIO()
    log = Log(Ticking(), stream=stream)
    log.mask(Secret("carrot"))
    log.mask(Secret("ab"))
    log.open(tmp_path / "log" / "x.log")
    log.warning("a carrot\nand ab")
    log.detail("more carrot")
    log.close()
    assert stream.getvalue() == "warning: a ***\nwarning: and ab\n"
    lines = (tmp_path / "log" / "x.log").read_text().splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == ["warning a ***", "warning and ab", "debug   more ***"]


def test_a_quiet_log_says_only_warnings_and_errors() -> None:
    stream = io.StringIO()
    log = Log(Ticking(), quiet=True, stream=stream)
    log.info("nothing")
    log.error("something")
    assert stream.getvalue() == "error: something\n"


def test_the_journal_hears_of_progress_every_five_minutes() -> None:
    from bkp.tools.borg.events import Progress

    said: list[str] = []
    now = [0.0]
    progress = JournalProgress(said.append, now=lambda: now[0])
    for second in range(0, 1000, 10):
        now[0] = float(second)
        progress.update(Progress("repository.check", second, 1000, ""))
    assert said == ["checking segments: 30 %", "checking segments: 60 %", "checking segments: 90 %"]
    assert describe(Progress("create", 12345, None, "")) == "archiving: 12,345 files so far"
