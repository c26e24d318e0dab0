"""The commands that pause a job for maintenance, and end a pause."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bkp import pauses
from bkp.cli import complain
from bkp.clock import local_zone, utc_now
from bkp.config import load_config
from bkp.errors import ExitCode, UsageError
from bkp.jobs import JOBS
from bkp.pauses import LONGEST, LONGEST_REASON
from bkp.quantities import DURATION_FORM, format_duration, parse_duration
from bkp.state.reading import Missing, Readable
from bkp.state.records import Pause
from bkp.state.store import StateStore
from runner import PROGRAM
from runner.commands import options
from runner.commands.running import chosen_targets

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from bkp.config import Config

_TIME_FORM = f"a local time such as 2026-12-24T18:00, or {DURATION_FORM}"


@dataclass(frozen=True)
class _Answer:
    """What was or would be done with one pause, and why that could not be noted in the history."""

    pause: Pause
    note_missing: str | None = None


@click.command(
    "pause",
    short_help="Pause a job for maintenance; the pause ends by itself.",
    epilog=options.examples(
        "bkp-run pause nightly --until 6h --reason 'new disk'",
        "bkp-run pause check --target main --until 2026-12-24T18:00 --reason 'moving house'",
        "bkp-run pause                                          what is paused now",
    ),
)
@click.argument("job", required=False, type=click.Choice(list(JOBS)))
@click.option("--target", "-t", help="Only this target (a name from the configuration).")
@click.option("--until", metavar="TIME", help=f"When the pause ends: {_TIME_FORM}. At most {LONGEST.days} days.")
@click.option("--reason", metavar="TEXT", help="Why. It is shown wherever the pause is.")
@options.dry_run
@options.as_json
@click.pass_obj
def pause_command(
    config_path: Path,
    job: str | None,
    target: str | None,
    until: str | None,
    reason: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Keep JOB from being run by its timer until TIME, and say so everywhere.

    While it lasts, no alert and no mail says that the job is late or has never run; page, status, metrics and audit say
    that it is paused. What a run found wrong is said as ever, and you may still run the job by hand. Without JOB, show
    what is paused.
    """
    config = load_config(config_path)
    store, now, zone = StateStore(Path(config.paths.state)), utc_now(), local_zone()
    if job is None:
        if (until, reason, target) != (None, None, None):
            raise UsageError("which job?", remedy=f"name one: {', '.join(JOBS)}")
        _show([_Answer(each) for each in _current(config, store, now)], "is paused", zone, as_json=as_json)
        return ExitCode.SUCCESS
    if until is None or reason is None:
        raise UsageError("a pause needs --until TIME and --reason TEXT", remedy="`bkp-run pause --help` has examples")
    end, why = end_of(until, now, zone), _reason(reason)
    new = [
        Pause(job=job, target=each, until=end, reason=why, paused_at=now, by=_who())
        for each in chosen_targets(config, target, JOBS[job].kind)
    ]
    return _do(store.write_pause, new, "is paused", "would be paused", zone, dry_run=dry_run, as_json=as_json)


@click.command(
    "resume",
    short_help="End the pause of a job.",
    epilog=options.examples("bkp-run resume nightly", "bkp-run resume check --target main"),
)
@click.argument("job", type=click.Choice(list(JOBS)))
@click.option("--target", "-t", help="Only this target (a name from the configuration).")
@options.dry_run
@options.as_json
@click.pass_obj
def resume_command(config_path: Path, job: str, target: str | None, dry_run: bool, as_json: bool) -> int:
    """End the pause of JOB before its time. What is late meanwhile is said at once."""
    config = load_config(config_path)
    store, now = StateStore(Path(config.paths.state)), utc_now()
    targets = chosen_targets(config, target, JOBS[job].kind)
    there = [each for each in targets if not isinstance(store.read_job(job, each).pause, Missing)]
    ended = [_recorded(store, job, each, now) for each in there]

    def remove(pause: Pause) -> str | None:
        return store.remove_pause(pause, _who())

    if not ended:
        raise UsageError(f"{job} is not paused", remedy="`bkp-run pause` shows what is")
    words = ("is no longer paused", "would no longer be paused")
    return _do(remove, ended, *words, local_zone(), dry_run=dry_run, as_json=as_json)


def end_of(text: str, now: datetime, zone: tzinfo) -> datetime:
    """Return the end of a pause that begins now. Raise `UsageError` for a time that is none, is over, or is too far."""
    try:
        end = now + parse_duration(text)
    except ValueError:
        try:
            said = datetime.fromisoformat(text)
        except ValueError:
            raise UsageError(f"--until {text!r} is no time", remedy=f"wanted {_TIME_FORM}") from None
        end = (said if said.tzinfo else said.replace(tzinfo=zone)).astimezone(now.tzinfo)
    if end <= now:
        raise UsageError(f"--until {text} is over already", remedy=f"wanted {_TIME_FORM}")
    if end - now > LONGEST:
        raise UsageError(
            f"--until {text} is more than {LONGEST.days} days away",
            remedy="pause it for less, and once more if need be: a pause must not be forgotten",
        )
    return end


def _reason(text: str) -> str:
    reason = " ".join(text.split())
    if not reason or len(reason) > LONGEST_REASON or not reason.isprintable():
        raise UsageError(f"--reason wants 1 to {LONGEST_REASON} characters of text")
    return reason


def _who() -> str:
    """Return the name of the person: who called sudo(8), else whose process this is."""
    if name := os.environ.get("SUDO_USER"):
        return name
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def _current(config: Config, store: StateStore, now: datetime) -> list[Pause]:
    pairs = [(job, target) for job, spec in JOBS.items() for target in config.names(spec.kind)]
    found = (pauses.in_force(store.read_job(job, target).pause, job, target, now) for job, target in pairs)
    return [each for each in found if each is not None]


def _recorded(store: StateStore, job: str, target: str, now: datetime) -> Pause:
    """Return the pause on file, or where that cannot be read one that stands for the file."""
    reading = store.read_job(job, target).pause
    if isinstance(reading, Readable):
        return reading.value
    return Pause(job=job, target=target, until=now, reason="", paused_at=now, by="nobody known")


def _do(
    act: Callable[[Pause], str | None],
    each_of: list[Pause],
    done: str,
    planned: str,
    zone: tzinfo,
    *,
    dry_run: bool,
    as_json: bool,
) -> int:
    answers = [_Answer(pause, None if dry_run else act(pause)) for pause in each_of]
    _show(answers, planned if dry_run else done, zone, as_json=as_json)
    missing = [each.note_missing for each in answers if each.note_missing is not None]
    for why in missing:
        complain(PROGRAM, f"it could not be noted in the history: {why}")
    return ExitCode.WARNING if missing else ExitCode.SUCCESS


def _show(answers: list[_Answer], words: str, zone: tzinfo, *, as_json: bool) -> None:
    import msgspec

    if as_json:
        click.echo(msgspec.json.encode([each.pause for each in answers]))
        return
    if not answers:
        click.echo("no job is paused")
    for each in answers:
        pause = each.pause
        until = f"{pause.until.astimezone(zone):%Y-%m-%d %H:%M %Z}"
        left = format_duration(pause.until - pause.paused_at)
        tail = f" until {until} ({left} in all): {pause.reason}" if "no longer" not in words else ""
        click.echo(f"{pause.job} on {pause.target} {words}{tail}")


COMMANDS = (pause_command, resume_command)
