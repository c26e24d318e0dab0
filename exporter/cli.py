"""bkp-exporter: the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import click

from bkp.cli import Program, examples, run
from bkp.errors import ExitCode
from exporter import PROGRAM

if TYPE_CHECKING:
    from pathlib import Path

_FORMAT = click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "openmetrics"]),
    default="text",
    show_default=True,
    help="Prometheus' text format 0.0.4, or OpenMetrics 1.0.",
)

EPILOG = """\b
Examples:
  bkp-exporter                                  serve on the address of the configuration
  bkp-exporter --listen '[::1]:10045'           serve somewhere else
  bkp-exporter --listen 127.0.0.1:0             serve on a free port and print which
  bkp-exporter metrics | promtool check metrics
  bkp-exporter page > status.html

\b
Paths served:
  /metrics     for Prometheus (text 0.0.4, OpenMetrics 1.0, gzip)
  /            status page for people, which renews itself every minute
  /still       the same page, which does not
  /-/healthy   200 as long as the process serves
  /-/ready     200 while the data are current, else 503

Needs no privilege and no secret: only to read the configuration and the state directory. Runs no program.
SIGHUP looks for changes now; SIGTERM and Ctrl-C end it with exit code 0. Exit codes: 2 usage or configuration,
3 cannot listen, or cannot write the output, or (metrics) a collector failed.
"""


@click.group(cls=Program, invoke_without_command=True, epilog=EPILOG)
@click.option(
    "--listen", metavar="HOST:PORT", help="Where to listen instead of exporter.listen; port 0 takes a free one."
)
@click.option("--once", is_flag=True, help="Print the metrics to standard output and end; the same as `metrics`.")
@click.pass_context
def cli(context: click.Context, listen: str | None, *, once: bool) -> int:
    """Serve the recorded state of the backups: metrics for Prometheus and a status page.

    Everything comes from the files that bkp-run writes. A scrape gets what was prepared when the state last changed:
    it costs about a millisecond and can neither slow down nor lock out a backup.
    """
    if context.invoked_subcommand is not None:
        return ExitCode.SUCCESS
    if once:
        return _print_metrics(context.obj, "text")
    from exporter.service import serve

    serve(context.obj, listen)
    return ExitCode.SUCCESS


@cli.command(epilog=examples("bkp-exporter metrics", "bkp-exporter metrics --config ./config.yml"))
@_FORMAT
@click.pass_obj
def metrics(config_path: Path, format_: str) -> int:
    """Print the metrics, as a scrape would get them now."""
    return _print_metrics(config_path, format_)


@cli.command(epilog=examples("bkp-exporter page > status.html"))
@click.pass_obj
def page(config_path: Path) -> None:
    """Print the status page (HTML), as a visitor would get it now."""
    from exporter.service import take_snapshot

    click.echo(take_snapshot(config_path).page(), nl=False)


def _print_metrics(config_path: Path, format_: str) -> int:
    from exporter.service import take_snapshot

    exposition = take_snapshot(config_path).exposition
    click.echo((exposition.openmetrics if format_ == "openmetrics" else exposition.text).plain, nl=False)
    return ExitCode.FAILURE if exposition.failed else ExitCode.SUCCESS


def main() -> NoReturn:
    """Run the command line and end with one of `ExitCode`."""
    run(PROGRAM, cli)


if __name__ == "__main__":
    main()
