"""Running a job from a command: on which targets, who hears of it, and how its end is told.

Heavy modules are imported by the function that needs them.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from bkp.clock import utc_now
from bkp.errors import ExitCode, InterruptedRunError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bkp.config import Config
    from bkp.jobs import Kind
    from bkp.state.records import Run
    from runner.heartbeat import Heartbeat
    from runner.jobs.model import RunnerJob
    from runner.lifecycle.context import Options
    from runner.lifecycle.log import Log
    from runner.lifecycle.signals import EndingSignals
    from runner.progress import ProgressSink

_SEVERITY = (
    ExitCode.SUCCESS,
    ExitCode.WARNING,
    ExitCode.NOT_NOW,
    ExitCode.FAILURE,
    ExitCode.USAGE,
    ExitCode.INTERRUPTED,
)


def worst_of(codes: list[ExitCode]) -> ExitCode:
    """Return what a program ends with that has done several things: the worst counts."""
    return max(codes, key=_SEVERITY.index)


def chosen_targets(config: Config, target: str | None, kind: Kind) -> list[str]:
    """Return the targets to work on; raise `UsageError` for one that is not configured, or if none is."""
    names = config.names(kind)
    if not names:
        raise UsageError(f"no {kind} is configured", remedy="`bkp-run config example` shows how one is written")
    if target is None:
        return list(names)
    if target not in names:
        raise UsageError(f"no {kind} {target!r}", remedy=f"configured: {', '.join(names)}")
    return [target]


def voices(*, as_json: bool, quiet: bool) -> tuple[ProgressSink, Log]:
    """Return who shows progress and who speaks, as the caller's terminal and options have it."""
    from runner.lifecycle.log import Log
    from runner.progress import JournalProgress, NoProgress, TerminalProgress

    log = Log(utc_now, quiet=quiet or as_json)
    if as_json or quiet:
        return NoProgress(), log
    return (TerminalProgress() if sys.stderr.isatty() else JournalProgress(log.info)), log


def wait_for_clock_in_unit(config: Config, log: Log, signals: EndingSignals) -> str | None:
    """Wait for the clock, as a timer may elapse before it is set; a person at the terminal sees what time it is.

    Return what the records are to say of it. A signal ends the wait, and no run begins.
    """
    from bkp.tools.kernel_clock import seconds_since_start, synchronised
    from runner.lifecycle.clock_wait import wait_for_clock

    try:
        signals.arm()
        return wait_for_clock(
            config.clock_wait,
            synchronised=synchronised,
            seconds_since_start=seconds_since_start,
            sleep=time.sleep,
            say=log.info,
        )
    except InterruptedRunError:
        return None
    finally:
        signals.disarm()


def run_on(
    job: RunnerJob[Any],
    config: Config,
    target: str,
    options: Options,
    log: Log,
    signals: EndingSignals,
    doubt: str | None = None,
) -> Run:
    """Run one job on one target, and return its record; `doubt` is what that is to say of the clock."""
    from bkp.state.records import Message
    from runner.lifecycle.job import run_job
    from runner.lifecycle.scope import new_scope
    from runner.notify.mail import mail_run

    scope = new_scope(
        job,
        target,
        config,
        options=options,
        log=log,
        clock=utc_now,
        mail=lambda run: mail_run(run, config),
        signals=signals,
    )
    if doubt is not None:
        scope.recorder.add_messages([Message(level="warning", text=doubt)])
    return run_job(scope)


def tell(run: Run) -> None:
    """Say how a run ended."""
    from runner.views.run import summary
    from runner.views.terminal import say

    say(summary(run), err=True)


def tell_json(runs: list[Run], *, one: bool) -> None:
    """Print one document: the record of the one target, or a list where several are configured."""
    import msgspec

    from runner.views.terminal import say

    say(msgspec.json.encode(runs[0] if one else runs))


def show_plans(job: RunnerJob[Any], config: Config, targets: list[str], wait: float, *, as_json: bool) -> None:
    """Print what a job would run on each target."""
    from runner.views import plan

    plans = [job.dry_run(config, target, wait) for target in targets]
    if as_json:
        click.echo(plan.as_json(plans[0]) if len(plans) == 1 else plan.all_as_json(plans))
        return
    for each in plans:
        click.echo(plan.as_text(each))


def tell_outside(beat: Heartbeat, runs: Sequence[Run], code: ExitCode) -> None:
    """Say outside how runs ended; that this failed is said in the journal, and changes nothing."""
    if why := beat.end_runs(runs, code):
        click.echo(f"warning: {why}", err=True)
