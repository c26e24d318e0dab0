"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bkp import cli
from bkp.config.values import Duration


class DurationType(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic since click 8.4 only
    """A duration on the command line, as in the configuration."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Duration:
        """Return the duration; fail with the accepted forms."""
        if isinstance(value, Duration):
            return value
        try:
            return Duration.parse("0s" if value == "0" else value)
        except ValueError as exc:
            self.fail(str(exc), param, ctx)


class PlaceType(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic since click 8.4 only
    """A path that is not looked at: click's own type does so, and a file system that does not answer holds it there."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:  # noqa: ARG002
        """Return the path as it was typed."""
        return Path(value)


examples = cli.examples

target = click.option("--target", "-t", help="Only this one (a name from the configuration).")
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout, for scripts.")
lock_wait = click.option(
    "--lock-wait",
    type=DurationType(),
    metavar="DURATION",
    help="How long to wait for another run's lock (0, 30s, 10m).",
)
quiet = click.option("--quiet", "-q", is_flag=True, help="Say only warnings and errors.")
dry_run = click.option("--dry-run", "-n", is_flag=True, help="Say what would be run; change nothing.")
unit = click.option(
    "--unit",
    is_flag=True,
    help="For systemd: end with 0 on warnings, too. There 1 only ever means that the program itself is broken.",
)
