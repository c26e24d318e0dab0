"""The commands that run a job: one for each job of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bkp.config import load_config
from bkp.errors import ExitCode
from bkp.jobs import JOBS
from runner.commands import options
from runner.commands.job_texts import TEXTS
from runner.commands.running import (
    chosen_targets,
    run_on,
    show_plans,
    tell,
    tell_json,
    tell_outside,
    voices,
    wait_for_clock_in_unit,
    worst_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from bkp.config.values import Duration


def _job_command(name: str) -> click.Command:
    about = TEXTS[name]
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
        from runner.jobs.registry import runner_job

        if dry_run:
            show_plans(runner_job(name), config, targets, wait, as_json=as_json)
            return ExitCode.SUCCESS
        from runner.heartbeat import Heartbeat
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
            doubt = wait_for_clock_in_unit(config, voices(as_json=as_json, quiet=quiet)[1], signals) if unit else None
            for each in targets:
                if signals.received is not None:  # who ends one run wants no other, even if it had ended by itself
                    codes.append(ExitCode.INTERRUPTED)
                    break
                progress, log = voices(as_json=as_json, quiet=quiet)
                chosen = Options(wait, progress, flags, unit)
                runs.append(run_on(runner_job(name), config, each, chosen, log, signals, doubt))
                codes.append(exit_code(runs[-1]))
                if not (as_json or quiet):
                    tell(runs[-1])
            if as_json:
                tell_json(runs, one=len(targets) == 1)
        code = worst_of(codes)
        if not unit:
            return code
        tell_outside(beat, runs, code)
        from runner.units.ending import end_of_unit

        return end_of_unit(name, config.paths.lock, runs, code)

    for switch in about.switches:
        command = switch(command)
    return command


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
