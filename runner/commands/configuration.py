"""config check, config schema, config example, config suggest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bkp.cli import complain
from bkp.clock import local_zone, utc_now
from bkp.config import load_config
from bkp.errors import ExitCode
from bkp.jobs import JOBS
from runner import PROGRAM
from runner.commands import options

if TYPE_CHECKING:
    from datetime import datetime, tzinfo
    from pathlib import Path

    from bkp.calendar import Schedule


@click.group(
    "config",
    short_help="Check the configuration; print its schema, an example, or pools and disks for it.",
    epilog=options.examples(
        "bkp-run config check",
        "bkp-run config schema > config.schema.json",
        "bkp-run config example",
        "bkp-run config suggest",
    ),
)
def config_group() -> None:
    """Check the configuration; print its JSON Schema for editors, a commented example, or pools and disks."""


@config_group.command(
    "check",
    epilog=options.examples(
        "bkp-run config check",
        "bkp-run config check --host               and look at what it names",
        "bkp-run --config new.yml config check",
    ),
)
@click.option(
    "--host",
    "look",
    is_flag=True,
    help="Look at this host, too: secrets, repositories, sources, keys of replications, pools, disks, programs.",
)
@click.pass_obj
def check_command(config_path: Path, look: bool) -> int:
    """Read the configuration; say what it means, or the first thing that is wrong with it.

    Without --host nothing but the file is looked at. With it, whatever it names and is not there is named, and the
    exit code is then 3. Datasets, live servers and repositories on other hosts are not looked at.
    """
    config = load_config(config_path, schedules=True)
    click.echo(f"{config_path}: valid")
    now, zone = utc_now(), local_zone()
    for name, repository in config.repositories.items():
        click.echo(f"  repository {name}: {repository.path}")
        for source in repository.sources:
            click.echo(f"    source {source}: {config.sources[source].path or config.sources[source].dataset}")
    for name, job in config.jobs.items():
        kind = JOBS[name].kind
        if not config.names(kind):
            click.echo(f"  job {name}: has no {kind.value} to work on")
            continue
        click.echo(f"  job {name}: {_when(job.schedule, now, zone)}")
        if (day := job.schedule and job.schedule.skipped_day(now, zone)) is not None:
            click.echo(
                f"warning: jobs.{name}.schedule: {job.schedule} does not exist on {day:%a %Y-%m-%d}, when the clocks "
                "change: the job is skipped; take a time outside of that hour",
                err=True,
            )
    if not look:
        return ExitCode.SUCCESS
    from runner.commands.host_look import missing_here

    missing = missing_here(config)
    for each in missing:
        complain(PROGRAM, each)
    if not missing:
        click.echo("  this host has all that it names")
    return ExitCode.FAILURE if missing else ExitCode.SUCCESS


def _when(schedule: Schedule | None, now: datetime, zone: tzinfo) -> str:
    if schedule is None:
        return "by hand only"
    elapse = schedule.next_after(now, zone)
    return f"{schedule}, next {elapse.astimezone(zone):%a %Y-%m-%d %H:%M %Z}" if elapse else f"{schedule}, never again"


@config_group.command("schema", epilog=options.examples("bkp-run config schema > config.schema.json"))
def schema_command() -> int:
    """Print the JSON Schema of the configuration."""
    import json

    from bkp.config.schema import config_schema

    click.echo(json.dumps(config_schema(), indent=2))
    return ExitCode.SUCCESS


@config_group.command("example", epilog=options.examples("bkp-run config example > /etc/bkp/config.yml"))
def example_command() -> int:
    """Print a commented example: the described system."""
    from importlib.resources import files  # costs start-up time

    click.echo(files("bkp.config").joinpath("example.yml").read_text(encoding="utf-8"), nl=False)
    return ExitCode.SUCCESS


@config_group.command(
    "suggest",
    epilog=options.examples(
        "bkp-run config suggest",
        "bkp-run config suggest > found.yml        to be put into the configuration by hand",
    ),
)
def suggest_command() -> int:
    """Print the sections `pools:` and `disks:` for this host. Whatever is not sure is a comment.

    They take the place of `pools:` and `disks:` in the configuration, which has each key once. It asks zpool and
    smartctl, which opens each disk: one that sleeps may wake. No configuration is needed.
    """
    import time

    from runner.probe.asking import Asker
    from runner.probe.devices import Host
    from runner.probe.inventory import suggest
    from runner.probe.look import SECONDS

    click.echo(suggest(Host(), Asker(time.monotonic() + SECONDS), utc_now), nl=False)
    return ExitCode.SUCCESS


COMMANDS = (config_group,)
