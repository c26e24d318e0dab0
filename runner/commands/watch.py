"""bkp-run watch: an observation. It makes no record of a run and no log; its mails have their lines in the history."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click

from bkp.clock import local_zone, utc_now
from bkp.config import load_config
from bkp.config.watching import WATCH
from bkp.errors import ExitCode, StateError
from bkp.state.watch import note_ping
from runner.commands import options

if TYPE_CHECKING:
    from pathlib import Path

    from runner.watch.look import Look


@click.command(
    "watch",
    short_help="Mail what has changed: what came, became worse, or is over.",
    epilog=options.examples(
        "bkp-run watch                  look once, as the timer does every 15 minutes",
        "bkp-run watch --dry-run        say what would be mailed; send and change nothing",
        "bkp-run watch --json | jq '.changes[].what'",
    ),
)
@options.dry_run
@options.as_json
@options.quiet
@options.unit
@click.pass_obj
def watch_command(config_path: Path, dry_run: bool, as_json: bool, quiet: bool, unit: bool) -> int:
    """Compare what somebody has to look at with what was told before, and mail the difference; send what waits.

    One mail at most, however much has changed. Ends with 1 if a mail could be neither sent nor kept, or if what was
    told could not be written down, and with 0 otherwise: `bkp-run status` judges the server.
    """
    from runner.heartbeat import Heartbeat
    from runner.watch.look import look

    config = load_config(config_path)
    beat = Heartbeat(config.heartbeat, WATCH if unit and not dry_run else None)
    beat.start()
    try:
        seen = look(config, utc_now, local_zone(), tell=not dry_run)
    except BaseException:
        beat.end("fail", "the watch itself failed")
        raise
    if seen.trouble is not None:
        click.echo(f"error: {seen.trouble}", err=True)
    counts = ", ".join(
        f"{sum(each.severity == severity for each in seen.concerns)} {severity}" for severity in ("critical", "warning")
    )
    if why := beat.end("success" if seen.trouble is None else "fail", counts):
        click.echo(f"warning: {why}", err=True)
    elif beat.pings:
        with contextlib.suppress(StateError):  # the next look says that its record cannot be written
            note_ping(config, utc_now())
    _show(seen, dry_run=dry_run, as_json=as_json, quiet=quiet)
    return ExitCode.WARNING if seen.trouble is not None and not unit else ExitCode.SUCCESS


def _show(seen: Look, *, dry_run: bool, as_json: bool, quiet: bool) -> None:
    from runner.views.terminal import say

    if as_json:
        import msgspec

        changes = [{"what": each.what, **msgspec.to_builtins(each.known)} for each in seen.decision.changes]
        mail = seen.posted.result if seen.posted is not None else None
        say(msgspec.json.encode({"changes": changes, "mail": mail, "concerns": len(seen.concerns)}))
    elif not quiet:
        for each in seen.decision.changes:
            say(f"{each.what}: {each.known.severity}: {each.known.sentence}")
        if not seen.decision.changes:
            say("nothing has changed")
        elif dry_run:
            say("nothing was mailed (--dry-run)")
        elif seen.posted is not None:
            say(f"mailed: {seen.posted.result}" + (f" ({seen.posted.reason})" if seen.posted.reason else ""))


COMMANDS = (watch_command,)
