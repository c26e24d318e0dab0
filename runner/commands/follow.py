"""bkp-run follow: look after scrubs and self-tests that go on without a process, and begin what was put off."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bkp.clock import local_zone, utc_now
from bkp.config import load_config
from bkp.errors import ExitCode
from runner.commands import options
from runner.commands.running import run_on, tell, tell_json, tell_outside, voices, worst_of

if TYPE_CHECKING:
    from bkp.state.records import Run


@click.command(
    "follow",
    short_help="Look after scrubs and self-tests that go on by themselves.",
    epilog=options.examples(
        "bkp-run follow               look once at all that goes on",
        "bkp-run follow --dry-run     say what would be looked after",
        "bkp-run follow --json | jq '.[].result'",
    ),
)
@options.dry_run
@options.as_json
@options.quiet
@options.unit
@click.pass_obj
def follow_command(config_path: Path, dry_run: bool, as_json: bool, quiet: bool, unit: bool) -> int:
    """Look once at each scrub and self-test that is under way without a process of bkp-run, and record how far it is.

    One that has ended is given its end and, if it is worth one, its mail. What was deferred begins when nothing is in
    its way any more. The timer bkp-follow calls this every five minutes, and after each start of the server.
    """
    from bkp.liveness import is_alive
    from bkp.state.fields import Outcome
    from bkp.state.store import StateStore
    from runner.following import to_follow
    from runner.heartbeat import Heartbeat
    from runner.jobs.registry import runner_job
    from runner.lifecycle.context import NO_WAIT, Options
    from runner.lifecycle.job import exit_code
    from runner.lifecycle.signals import ending_signals_raise

    config = load_config(config_path)
    found = to_follow(config, StateStore(Path(config.paths.state)), utc_now, local_zone(), is_alive)
    if dry_run:
        for each in found:
            click.echo(f"{each.job} on {each.target}: {each.why}")
        return ExitCode.SUCCESS
    runs: list[Run] = []
    codes = [ExitCode.SUCCESS]
    with ending_signals_raise(until_the_end=True) as signals:
        for each in found:
            progress, log = voices(as_json=as_json, quiet=quiet)
            # a run that somebody follows at this very moment is left to them
            chosen = Options(0, progress, frozenset({NO_WAIT}))
            runs.append(run_on(runner_job(each.job), config, each.target, chosen, log, signals, None))
            codes.append(exit_code(runs[-1]))
            if unit and runs[-1].outcome is not Outcome.RUNNING:
                tell_outside(Heartbeat(config.heartbeat, each.job), runs[-1:], codes[-1])
            if not (as_json or quiet):
                tell(runs[-1])
            if signals.received is not None:
                codes.append(ExitCode.INTERRUPTED)
                break
        if as_json:
            tell_json(runs, one=False)
    if not unit:
        return worst_of(codes)
    from runner.units.ending import end_of_unit

    ended = end_of_unit("follow", config.paths.lock, runs, worst_of(codes))
    return ExitCode.SUCCESS if ended is ExitCode.NOT_NOW else ended


COMMANDS = (follow_command,)
