"""The commands that run a job: one for each job of the table."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from bkp.clock import utc_now
from bkp.config import Config, load_config
from bkp.errors import ExitCode, InterruptedRunError, UsageError
from bkp.jobs import JOBS
from runner.commands import options
from runner.jobs.nightly import ACCEPT_GONE, ACCEPT_REMOVAL, ACCEPT_REPOSITORY, ACCEPT_SIZE
from runner.jobs.sync import DISCARD, TEST_GATE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bkp.config.values import Duration
    from bkp.jobs import Kind
    from bkp.state.records import Run
    from runner.heartbeat import End, Heartbeat
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


@dataclass(frozen=True)
class _Help:
    """What --help says of a job's command, and the switches of its own that it has."""

    summary: str
    details: str
    examples: tuple[str, ...]
    switches: tuple[Callable[[click.Command], click.Command], ...] = ()


_NO_WAIT = click.option("--no-wait", is_flag=True, help="Begin, and let `bkp-run follow` see to the end.")
_SELF_TEST = (
    "Starts the disk's own self-test and follows it to its end, which the disk's own log tells. Ctrl-C or a restart of "
    "the server changes nothing, and `bkp-run follow` goes on. One disk of a pool at a time, never beside a scrub of "
    "its pool: the others are deferred, and begin when it is their turn."
)

_HELP = {
    "nightly": _Help(
        "Archive all sources, prove the archive, prune and compact.",
        "Nothing is pruned unless tonight's archive is listed by the repository, holds every source, and is not "
        "suspiciously small. Until then it is named unproven-…, and one that is no good one is named incomplete-… or "
        "suspicious-…: none of these ever counts for retention or as the latest.",
        (
            "bkp-run nightly --dry-run               say what would be run",
            "bkp-run nightly --target main --quiet   one repository; say only what is wrong",
            "bkp-run nightly --lock-wait 0           give up at once where another run is at work",
        ),
        (
            click.option(
                "--accept-size",
                ACCEPT_SIZE,
                is_flag=True,
                help="This archive's size is right, however small: prune as ever, and compare the nights to come "
                "with it.",
            ),
            click.option(
                "--accept-repository",
                ACCEPT_REPOSITORY,
                is_flag=True,
                help="The repository at this path is the right one, though it is another than before, and all its "
                "archives with this prefix are this server's.",
            ),
            click.option(
                "--accept-gone",
                ACCEPT_GONE,
                is_flag=True,
                help="It is right that the archives are gone which a run has reported: miss them no more.",
            ),
        ),
    ),
    "check": _Help(
        "Check the repository's segments, index and archive metadata.",
        "Runs `borg check`. Anything that borg finds is a failure.",
        ("bkp-run check --target main", "bkp-run check --json | jq .outcome"),
    ),
    "verify": _Help(
        "Check the repository, and decrypt and authenticate all its data.",
        "Runs `borg check --verify-data`, which reads everything: hours, on a large repository.",
        ("bkp-run verify --target main", "bkp-run verify --dry-run --json   the plan, for a script"),
    ),
    "drill": _Help(
        "Restore a random sample and compare every hash.",
        "The sample was drawn by the last nightly from the very tree it archived. Tolerance is zero.",
        ("bkp-run drill --target main", "bkp-run drill --json | jq .result"),
    ),
    "prune": _Help(
        "Prune by the rules and compact, without making an archive first.",
        "For a disk that is too full for a nightly. Refuses where the repository lists no archive that a recorded "
        "night has proven, where archives are dated in the future or are another server's, and where the rules would "
        "remove far more archives than is usual.",
        ("bkp-run prune --dry-run               say what would be run", "bkp-run prune --target main"),
        (
            click.option(
                "--accept-removal",
                ACCEPT_REMOVAL,
                is_flag=True,
                help="It is right that the rules remove so many archives, as after a change of `keep`.",
            ),
        ),
    ),
    "sync": _Help(
        "Pull the replications from the live server.",
        "Runs syncoid, and records the newest snapshot that both servers have. A live server that does not answer is "
        "waited for until the job's deadline. A pull that was cut off is resumed. Nothing here is rolled back or "
        "overwritten. Once a week it first sends commands that the live server must refuse.",
        (
            "bkp-run sync --target live     one replication, with progress",
            "bkp-run sync --dry-run         say what would be run",
            "bkp-run sync --json | jq .result.datasets",
        ),
        (
            click.option(
                "--discard-partial",
                DISCARD,
                is_flag=True,
                help="Give up what was received in part and cannot be resumed (`zfs receive -A`).",
            ),
            click.option(
                "--test-gate",
                TEST_GATE,
                is_flag=True,
                help="Send the commands that must be refused now, whenever that was done last.",
            ),
        ),
    ),
    "scrub": _Help(
        "Scrub the pools: read everything, repair what can be.",
        "Starts a scrub, or adopts one that runs, and follows it to its end. The pool itself decides that: Ctrl-C or a "
        "restart of the server changes nothing, and `bkp-run follow` goes on. Deferred while the pool is not ONLINE, a "
        "spare is in use, it resilvers, or a self-test runs on one of its disks.",
        (
            "bkp-run scrub                 all pools, one after the other, with progress",
            "bkp-run scrub --no-wait       begin on all pools and leave the rest to `bkp-run follow`",
            "bkp-run scrub --dry-run       say what would be run",
        ),
        (_NO_WAIT,),
    ),
    "selftest-short": _Help(
        "Have each disk test itself: minutes.",
        _SELF_TEST,
        ("bkp-run selftest short --target left", "bkp-run selftest short --no-wait"),
        (_NO_WAIT,),
    ),
    "selftest-long": _Help(
        "Have each disk read all of itself: hours to days.",
        _SELF_TEST,
        ("bkp-run selftest long --target left --no-wait", "bkp-run selftest long --dry-run"),
        (_NO_WAIT,),
    ),
}


def _job_command(name: str) -> click.Command:
    about = _HELP[name]

    words = JOBS[name].words

    @click.command(
        words[-1],
        help=f"{about.summary}\n\n{about.details}",
        short_help=about.summary,
        epilog=options.examples(f"bkp-run {' '.join(words)}", *about.examples),
    )
    @options.target
    @options.dry_run
    @options.as_json
    @options.lock_wait
    @options.quiet
    @options.unit
    @click.pass_obj
    def command(
        config_path: Path,
        /,
        target: str | None,
        dry_run: bool,
        as_json: bool,
        lock_wait: Duration | None,
        quiet: bool,
        unit: bool,
        **switches: bool,
    ) -> int:
        config = load_config(config_path)
        targets = chosen_targets(config, target, JOBS[name].kind)
        wait = (config.lock_wait if lock_wait is None else lock_wait).total_seconds()
        if dry_run:
            show_plans(name, config, targets, wait, as_json=as_json)
            return ExitCode.SUCCESS
        from runner.heartbeat import Heartbeat
        from runner.jobs.registry import RUNNER_JOBS
        from runner.lifecycle.context import NO_WAIT, Options
        from runner.lifecycle.job import exit_code
        from runner.lifecycle.signals import ending_signals_raise

        flags = frozenset(switch for switch, is_set in switches.items() if is_set)
        if unit and JOBS[name].outlives_process:
            flags |= {NO_WAIT}
        runs, codes = [], []
        beat = Heartbeat(config.heartbeat, name if unit else None)
        beat.start()
        with ending_signals_raise(until_the_end=True) as signals:
            doubt = _wait_for_clock(config, voices(as_json=as_json, quiet=quiet)[1], signals) if unit else None
            for each in targets:
                if signals.received is not None:  # who ends one run wants no other, even if it had ended by itself
                    codes.append(ExitCode.INTERRUPTED)
                    break
                progress, log = voices(as_json=as_json, quiet=quiet)
                runs.append(
                    run_on(RUNNER_JOBS[name], config, each, Options(wait, progress, flags, unit), log, signals, doubt)
                )
                codes.append(exit_code(runs[-1]))
                if not (as_json or quiet):
                    tell(runs[-1])
            if as_json:
                tell_json(runs, one=len(targets) == 1)
        code = worst_of(codes)
        if not unit:
            return code
        _end_heartbeat(beat, runs, code)
        from runner.units.ending import end_of_unit

        return end_of_unit(name, config.paths.lock, runs, code)

    for switch in about.switches:
        command = switch(command)
    return command


def _end_heartbeat(beat: Heartbeat, runs: list[Run], code: ExitCode) -> None:
    """Say outside how it went; that this failed is said in the journal, and changes nothing."""
    ends: dict[ExitCode, End] = {
        ExitCode.SUCCESS: "success",
        ExitCode.WARNING: "success",
        ExitCode.NOT_NOW: "log",
    }
    text = "\n".join(f"{run.job} of {run.target}: {run.outcome}" for run in runs)
    if why := beat.end(ends.get(code, "fail"), text):
        click.echo(f"warning: {why}", err=True)


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


def _wait_for_clock(config: Config, log: Log, signals: EndingSignals) -> str | None:
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


def show_plans(job: str, config: Config, targets: list[str], wait: float, *, as_json: bool) -> None:
    """Print what a job would run on each target."""
    from runner.jobs.registry import RUNNER_JOBS
    from runner.views import plan

    plans = [RUNNER_JOBS[job].dry_run(config, target, wait) for target in targets]
    if as_json:
        click.echo(plan.as_json(plans[0]) if len(plans) == 1 else plan.all_as_json(plans))
        return
    for each in plans:
        click.echo(plan.as_text(each))


def _commands() -> tuple[click.Command, ...]:
    """Return a command for each job; jobs of two words are commands of a group."""
    found: dict[str, click.Command] = {}
    for name, spec in JOBS.items():
        if spec.by_person:
            continue
        first, *rest = spec.words
        if not rest:
            found[first] = _job_command(name)
            continue
        group = found.setdefault(first, _selftest_group())
        assert isinstance(group, click.Group)  # noqa: S101  # no job is called as another's first word
        group.add_command(_job_command(name))
    return tuple(found.values())


def _selftest_group() -> click.Group:
    return click.Group(
        "selftest",
        help="Have the disks test themselves, short or long.",
        short_help="Have the disks test themselves.",
        epilog=options.examples("bkp-run selftest short", "bkp-run selftest long --no-wait"),
    )


COMMANDS = _commands()
