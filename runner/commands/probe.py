"""bkp-run probe: an observation. It makes no record, no line in the history, no log and no mail."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bkp.clock import utc_now
from bkp.config import load_config
from bkp.errors import ExitCode, UsageError
from runner.commands import options

if TYPE_CHECKING:
    from bkp.config import Config
    from runner.probe.look import ProbeLook


@click.command(
    "probe",
    short_help="Look at pools, disks and the host, and write down what is seen.",
    epilog=options.examples(
        "bkp-run probe",
        "bkp-run probe --all             ask every disk, however lately it was asked",
        "bkp-run probe --json | jq -r '.pools[].value.health.state'",
        "bkp-run probe --dry-run         say what would be asked",
        "zpool status | bkp-run probe --from-file zpool - --json",
        "bkp-run probe --from-file smartctl disk.json",
    ),
)
@click.option("--all", "all_disks", is_flag=True, help="Ask every disk; else each is asked once an hour.")
@click.option(
    "--from-file",
    "attached",
    nargs=2,
    type=(click.Choice(["zpool", "smartctl"]), str),
    metavar="PROGRAM FILE",
    help="Read an output of `zpool status` or of smartctl (text or JSON, - for standard input) instead of this host.",
)
@options.dry_run
@options.as_json
@options.quiet
@options.unit
@click.pass_obj
def probe_command(
    config_path: Path,
    all_disks: bool,
    attached: tuple[str, str] | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    unit: bool,
) -> int:
    """Look at the configured pools, their datasets, the configured disks and the host, and at whatever else is there.

    Every program has a time limit, and sleeping disks stay asleep. What cannot be seen keeps its last value with its
    time. Ends with 0 if all could be seen, and with 1 if something could not, or is missing.
    """
    if attached is not None:
        if all_disks or dry_run or unit:
            raise UsageError("--from-file looks at a file, not at this host", remedy="give it --json or nothing else")
        return _read_file(*attached, as_json=as_json)
    config = load_config(config_path)
    if dry_run:
        _say_commands(config, as_json=as_json)
        return ExitCode.SUCCESS
    seen = _look(config, all_disks=all_disks)
    _write(config, seen)
    _show(seen, as_json=as_json, quiet=quiet)
    return ExitCode.WARNING if seen.unseen and not unit else ExitCode.SUCCESS


def _look(config: Config, *, all_disks: bool) -> ProbeLook:
    from bkp.observations import read_observations
    from runner.probe.asking import Asker
    from runner.probe.devices import Host
    from runner.probe.look import SECONDS, look

    ask = Asker(time.monotonic() + SECONDS)
    before = read_observations(Path(config.paths.state))
    return look(config, before, ask, Host(), utc_now, all_disks=all_disks)


def _write(config: Config, seen: ProbeLook) -> None:
    import os

    from bkp.state.observed import write_observation

    state, host = Path(config.paths.state), config.host or os.uname().nodename
    write_observation(state, "pools", host, seen.pools)
    write_observation(state, "datasets", host, seen.datasets)
    write_observation(state, "disks", host, seen.disks)
    write_observation(state, "host", host, seen.host)


def _show(seen: ProbeLook, *, as_json: bool, quiet: bool) -> None:
    from runner.views import probe
    from runner.views.terminal import say

    if as_json:
        say(probe.as_json(seen))
    elif not quiet:
        say(probe.as_text(probe.lines_of(seen)))
    if quiet:
        for each in seen.unseen:
            say(f"warning: {each}", err=True)


def _say_commands(config: Config, *, as_json: bool) -> None:
    import json
    import shlex

    from runner.probe.plan import questions

    found = questions(config)
    click.echo(json.dumps({"commands": found}) if as_json else "\n".join(shlex.join(argv) for argv in found))


def _read_file(program: str, name: str, *, as_json: bool) -> int:
    import msgspec

    from runner.views import probe

    data = _bytes_of(name)
    if program == "zpool":
        from bkp.zfs_health.attached import read_attached as read_pools

        pools = read_pools(data)
        click.echo(msgspec.json.encode(pools) if as_json else probe.pools_as_text(pools))
        return ExitCode.WARNING if pools.problem else ExitCode.SUCCESS
    from bkp.disk_health.attached import read_attached
    from bkp.disk_health.model import Unknown

    disks = read_attached(data)
    click.echo(msgspec.json.encode(disks) if as_json else probe.disks_as_text(disks))
    return ExitCode.WARNING if isinstance(disks, Unknown) else ExitCode.SUCCESS


def _bytes_of(name: str) -> bytes:
    from bkp.zfs_health.attached import (
        MAX_BYTES,
    )  # the larger of the two limits; the readers refuse what exceeds theirs

    try:
        if name == "-":
            return sys.stdin.buffer.read(MAX_BYTES + 1)
        with Path(name).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as exc:
        raise UsageError(
            f"{name}: {exc.strerror}", remedy="name a file that can be read, or - for standard input"
        ) from exc


COMMANDS = (probe_command,)
