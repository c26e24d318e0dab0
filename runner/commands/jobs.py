"""The commands that run a job: nightly, check, verify, drill."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from bkp.clock import utc_now
from bkp.config import Config, load_config
from bkp.errors import ExitCode, UsageError
from runner.commands import options

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bkp.config.values import Duration
    from bkp.state.records import Run
    from runner.lifecycle.context import Options
    from runner.lifecycle.log import Log
    from runner.lifecycle.signals import EndingSignals
    from runner.progress import ProgressSink

_SEVERITY = (
    ExitCode.SUCCESS,
    ExitCode.WARNING,
    ExitCode.LOCKED,
    ExitCode.FAILURE,
    ExitCode.USAGE,
    ExitCode.INTERRUPTED,
)


_accept_size = click.option(
    "--accept-size",
    is_flag=True,
    help="This archive's size is right, however small: prune as ever, and compare the nights to come with it.",
)


def _job_command(name: str, summary: str, details: str, *examples: str) -> click.Command:
    @click.command(
        name, help=f"{summary}\n\n{details}", short_help=summary, epilog=options.examples(f"bkp-run {name}", *examples)
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
        target: str | None,
        dry_run: bool,
        as_json: bool,
        lock_wait: Duration | None,
        quiet: bool,
        unit: bool,
        accept_size: bool = False,
    ) -> int:
        config = load_config(config_path)
        targets = chosen_targets(config, target)
        wait = (config.lock_wait if lock_wait is None else lock_wait).total_seconds()
        if dry_run:
            for each in targets:
                _show_plan(name, config, each, wait, as_json=as_json)
            return ExitCode.SUCCESS
        from runner.lifecycle.context import Options
        from runner.lifecycle.job import exit_code
        from runner.lifecycle.signals import ending_signals_raise

        runs, codes = [], []
        with ending_signals_raise() as signals:
            for each in targets:
                if signals.received is not None:  # who ends one run wants no other, even if it had ended by itself
                    codes.append(ExitCode.INTERRUPTED)
                    break
                progress, log = _voices(as_json=as_json, quiet=quiet)
                options = Options(lock_wait=wait, progress=progress, accept_size=accept_size)
                runs.append(_run(name, config, each, options, log, signals))
                codes.append(exit_code(runs[-1]))
                _tell(runs[-1], as_json=as_json, quiet=quiet)
        code = max(codes, key=_SEVERITY.index)
        if not unit:
            return code
        from runner.units.ending import end_of_unit

        return end_of_unit(name, config.paths.lock, runs, code)

    return _accept_size(command) if name == "nightly" else command


def chosen_targets(config: Config, target: str | None) -> list[str]:
    """Return the repositories to work on; raise `UsageError` for one that is not configured."""
    if target is None:
        return list(config.repositories)
    if target not in config.repositories:
        raise UsageError(f"no repository {target!r}", remedy=f"configured: {', '.join(config.repositories)}")
    return [target]


def body_of(job: str) -> Callable[[Any], None]:
    """Return the function that does the work of a job."""
    from runner.jobs import check, drill  # --help and --version do without them
    from runner.nightly.job import nightly

    return {"nightly": nightly, "check": check.check, "verify": check.verify, "drill": drill.drill}[job]


def _voices(*, as_json: bool, quiet: bool) -> tuple[ProgressSink, Log]:
    """Return who shows progress and who speaks, as the caller's terminal and options have it."""
    from runner.lifecycle.log import Log
    from runner.progress import JournalProgress, NoProgress, TerminalProgress

    log = Log(utc_now, quiet=quiet or as_json)
    if as_json or quiet:
        return NoProgress(), log
    return (TerminalProgress() if sys.stderr.isatty() else JournalProgress(log.info)), log


def _run(job: str, config: Config, target: str, options: Options, log: Log, signals: EndingSignals) -> Run:
    from runner.lifecycle.job import run_job
    from runner.notify.mail import mail_run

    return run_job(
        job,
        target,
        config,
        body_of(job),
        options=options,
        log=log,
        clock=utc_now,
        mail=lambda run, previous: mail_run(run, previous, config.mail),
        signals=signals,
    )


def _tell(run: Run, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        _print_json(run)
    elif not quiet:
        from runner.views.run import summary
        from runner.views.terminal import say

        say(summary(run), err=True)


def _print_json(run: Run) -> None:
    import msgspec

    from runner.views.terminal import say

    say(msgspec.json.encode(run))


def _show_plan(job: str, config: Config, target: str, wait: float, *, as_json: bool) -> None:
    from bkp.tools.borg.client import Borg, passphrase_of
    from runner.jobs import check, drill
    from runner.nightly import plan as nightly
    from runner.views import plan

    repository = config.repositories[target]
    if job == "nightly":
        calls = nightly.planned(config, target, wait)
    elif job == "drill":
        calls = drill.planned(config, target, wait)
    else:
        calls = check.planned(config, target, wait, verify_data=job == "verify")
    borg = Borg(repository, passphrase_of(repository), lock_wait=wait)
    before = nightly.planned_snapshots(config, target) if job == "nightly" else ()
    found = plan.Plan(job, target, tuple(before), tuple(borg.command(arguments) for arguments in calls))
    click.echo(plan.as_json(found) if as_json else plan.as_text(found))


COMMANDS = (
    _job_command(
        "nightly",
        "Archive all sources, prove the archive, prune and compact.",
        "Nothing is pruned unless tonight's archive is listed by the repository, holds every source, and is not "
        "suspiciously small. An archive that lacks a source is named incomplete-… and never counts for retention.",
        "bkp-run nightly --dry-run               say what would be run",
        "bkp-run nightly --target main --quiet   one repository; say only what is wrong",
        "bkp-run nightly --lock-wait 0           give up at once where another run is at work",
    ),
    _job_command(
        "check",
        "Check the repository's segments, index and archive metadata.",
        "Runs `borg check`. Anything that borg finds is a failure.",
        "bkp-run check --target main",
        "bkp-run check --json | jq .outcome",
    ),
    _job_command(
        "verify",
        "Check the repository, and decrypt and authenticate all its data.",
        "Runs `borg check --verify-data`, which reads everything: hours, on a large repository.",
        "bkp-run verify --target main",
        "bkp-run verify --dry-run --json   the plan, for a script",
    ),
    _job_command(
        "drill",
        "Restore a random sample and compare every hash.",
        "The sample was drawn by the last nightly from the very tree it archived. Tolerance is zero.",
        "bkp-run drill --target main",
        "bkp-run drill --json | jq .drill",
    ),
)
