"""units show, units diff, units install."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bkp.config import load_config
from bkp.errors import ExitCode, StepFailedError, UsageError
from runner.commands import options

if TYPE_CHECKING:
    from bkp.config import Config
    from runner.units.facts import UnitFacts
    from runner.units.install import Difference

DEFAULT_DIR = Path("/etc/systemd/system")

_folder = click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path),
    default=DEFAULT_DIR,
    show_default=True,
    help="Where units are installed; sysusers.d and tmpfiles.d lie two levels above it.",
)


@click.group(
    "units",
    short_help="Show, compare or install the systemd units.",
    epilog=options.examples(
        "bkp-run units show borg-backup.service",
        "bkp-run units install --dry-run",
        "bkp-run units install --enable      and start the timers and the exporter",
        "bkp-run units diff                  ends with 1 if what is installed differs",
    ),
)
def units_group() -> None:
    """Make systemd's units and timers from the configuration: its schedules, its folders, and no right beyond them."""


@units_group.command("show", epilog=options.examples("bkp-run units show", "bkp-run units show borg-backup.timer"))
@click.argument("name", required=False)
@click.pass_obj
def show_command(config_path: Path, name: str | None) -> int:
    """Print all files, or the one called NAME, as they would be installed."""
    rendered = {Path(path).name if "systemd" in path else path: text for path, text in _render(config_path)[2].items()}
    if name is not None and name not in rendered:
        raise UsageError(f"no file {name!r}", remedy=f"there are: {', '.join(sorted(rendered))}")
    if name is not None:
        click.echo(rendered[name], nl=False)
        return ExitCode.SUCCESS
    for each, text in rendered.items():
        click.echo(f"# ---- {each}\n{text}")
    return ExitCode.SUCCESS


@units_group.command(
    "diff", epilog=options.examples("bkp-run units diff", "bkp-run units diff --dir /usr/local/lib/systemd/system")
)
@_folder
@click.pass_obj
def diff_command(config_path: Path, folder: Path) -> int:
    """Say how the installed files differ from what the configuration asks for. Ends with 1 if they do."""
    import difflib

    differences = _compare(_render(config_path)[2], folder)
    for each in differences:
        before = (each.before or "").splitlines(keepends=True)
        after = (each.after or "").splitlines(keepends=True)
        click.echo("".join(difflib.unified_diff(before, after, f"installed {each.path}", "wanted")), nl=False)
    alike = all(each.state == "unchanged" for each in differences)
    click.echo(
        f"{len(differences)} files are installed as configured" if alike else "install them: bkp-run units install",
        err=not alike,
    )
    return ExitCode.SUCCESS if alike else ExitCode.WARNING


@units_group.command(
    "install",
    epilog=options.examples(
        "bkp-run units install --dry-run     say which files would change",
        "bkp-run units install --enable      and start the timers and the exporter",
        "bkp-run units install --no-reload --dir /tmp/etc/systemd/system",
    ),
)
@_folder
@options.dry_run
@click.option("--no-reload", is_flag=True, help="Only write the files; run nothing of systemd's.")
@click.option("--enable", is_flag=True, help="Start the timers and the exporter, now and at every boot.")
@click.pass_obj
def install_command(config_path: Path, folder: Path, dry_run: bool, no_reload: bool, enable: bool) -> int:
    """Write the files that differ, remove those of ours that are wanted no more, and tell systemd.

    A file that bkp-run has not written is never touched: it is an error, and nothing is installed.
    """
    if enable and no_reload:
        raise UsageError("--enable needs systemd to read the files", remedy="leave out --no-reload")
    config, facts, rendered = _render(config_path)
    differences = _compare(rendered, folder)
    if dry_run:
        for each in differences:
            click.echo(f"{each.state:9}  {each.path}")
        click.echo("nothing was written (--dry-run)")
        return ExitCode.SUCCESS
    from runner.units.install import apply, enabled_before

    if not no_reload:
        _disable(enabled_before(differences))
    for each in apply(differences):
        click.echo(f"{each.state:9}  {each.path}")
    if not no_reload:
        _make_known(differences, enable=enable)
    for warning in _warnings(config, facts):
        click.echo(f"warning: {warning}", err=True)
    return ExitCode.SUCCESS


def _render(config_path: Path) -> tuple[Config, UnitFacts, dict[str, str]]:
    from runner.units.facts import host_facts
    from runner.units.render import render

    config = load_config(config_path, schedules=True)
    facts = host_facts(config_path, config.mail)
    return config, facts, render(config, facts)


def _compare(rendered: dict[str, str], folder: Path) -> list[Difference]:
    from runner.units.install import base_of, compare

    return compare(rendered, base_of(folder))


def _disable(timers: list[str]) -> None:
    from bkp.tools import systemd

    if timers and systemd.is_running():
        systemd.call(systemd.SYSTEMCTL, "disable", "--now", *timers)


def _make_known(differences: list[Difference], *, enable: bool) -> None:
    """Make account and folders, and have systemd read the units."""
    from bkp.tools import systemd
    from runner.units.render import EXPORTER

    wanted = [each for each in differences if each.after is not None]
    users, folders = (
        next(str(each.path) for each in wanted if each.path.parent.name == folder)
        for folder in ("sysusers.d", "tmpfiles.d")
    )
    systemd.call(systemd.SYSUSERS, users)
    systemd.call(systemd.TMPFILES, "--create", folders)
    if not systemd.is_running():
        if enable:
            raise StepFailedError("systemd does not run here: nothing was enabled", remedy="leave out --enable")
        click.echo("systemd does not run here: the files are written, nothing was reloaded", err=True)
        return
    systemd.call(systemd.SYSTEMCTL, "daemon-reload")
    timers = [each.path.name for each in wanted if each.path.suffix == ".timer"]
    if enable:
        systemd.call(systemd.SYSTEMCTL, "enable", "--now", *timers, EXPORTER)
        click.echo(f"enabled    {' '.join((*timers, EXPORTER))}")
    if any(each.path.name == EXPORTER and each.state == "changed" for each in wanted):
        systemd.call(systemd.SYSTEMCTL, "try-restart", EXPORTER)
        click.echo(f"restarted  {EXPORTER}, if it ran")


def _warnings(config: Config, facts: UnitFacts) -> list[str]:
    """Return what would keep an installed unit from doing its work."""
    from runner.units.render import folders, made_at_boot

    late = set(folders(config, facts)) - set(made_at_boot(config, facts))
    found = [
        f"folder {each} is not there, and a unit cannot make it: make it when its file system is mounted"
        for each in sorted(late)
        if not Path(each).is_dir()
    ]
    if not Path(facts.config).stat().st_mode & 0o004:
        found.append(f"{facts.config} is not readable for the exporter: chmod o+r, or give it to the group bkp")
    return found


COMMANDS = (units_group,)
