"""bkp-exporter: the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from bkp import __version__

DEFAULT_CONFIG = "/etc/bkp/config.yml"

_CONFIG = click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=DEFAULT_CONFIG,
    show_default=True,
    envvar="BKP_CONFIG",
    show_envvar=True,
    help="The configuration file.",
)
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
  /            status page for people
  /-/healthy   200 as long as the process serves
  /-/ready     200 while the data are current, else 503

Needs no privilege and no secret: only to read the configuration and the state directory. Runs no program.
SIGHUP looks for changes now; SIGTERM and Ctrl-C end it with exit code 0. Exit codes: 2 usage or configuration,
3 cannot listen, or cannot write the output, or (metrics) a collector failed.
"""


def _print_version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"bkp-exporter {__version__}")
        context.exit()


@click.group(
    invoke_without_command=True,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@_CONFIG
@click.option(
    "--listen", metavar="HOST:PORT", help="Where to listen instead of exporter.listen; port 0 takes a free one."
)
@click.option("--once", is_flag=True, help="Print the metrics to standard output and end; the same as `metrics`.")
@click.option(
    "--version",
    is_flag=True,
    callback=_print_version,
    expose_value=False,
    is_eager=True,
    help="Show the version and exit.",
)
@click.pass_context
def cli(context: click.Context, config_path: Path, listen: str | None, *, once: bool) -> None:
    """Serve the recorded state of the backups: metrics for Prometheus and a status page.

    Everything comes from the files that bkp-run writes. A scrape gets what was prepared when the state last changed:
    it costs about a millisecond and can neither slow down nor lock out a backup.
    """
    context.obj = config_path
    if context.invoked_subcommand is not None:
        return
    if once:
        _print_metrics(config_path, "text")
        return
    from exporter.service import serve

    serve(config_path, listen)


@cli.command(epilog="\b\nExamples:\n  bkp-exporter metrics\n  bkp-exporter metrics --config ./config.yml\n")
@_CONFIG
@_FORMAT
@click.pass_context
def metrics(context: click.Context, config_path: Path, format_: str) -> None:
    """Print the metrics, as a scrape would get them now."""
    _print_metrics(_given(context, config_path), format_)


@cli.command(epilog="\b\nExample:\n  bkp-exporter page > status.html\n")
@_CONFIG
@click.pass_context
def page(context: click.Context, config_path: Path) -> None:
    """Print the status page (HTML), as a visitor would get it now."""
    from exporter.service import take_snapshot

    click.echo(take_snapshot(_given(context, config_path)).page(), nl=False)


def _given(context: click.Context, config_path: Path) -> Path:
    """Return --config of the subcommand, or else that given before it."""
    explicit = context.get_parameter_source("config_path") is click.core.ParameterSource.COMMANDLINE
    return config_path if explicit or not isinstance(context.obj, Path) else context.obj


def _print_metrics(config_path: Path, format_: str) -> None:
    from bkp.errors import ExitCode
    from exporter.service import take_snapshot

    exposition = take_snapshot(config_path).exposition
    click.echo((exposition.openmetrics if format_ == "openmetrics" else exposition.text).plain, nl=False)
    if exposition.failed:
        sys.exit(ExitCode.FAILURE)


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; every failure that a person can mend ends in one message and its exit code."""
    from bkp.errors import BkpError
    from bkp.output import outlive_readers

    outlive_readers()
    try:
        return cli.main(arguments, prog_name="bkp-exporter")
    except BkpError as exc:
        click.echo(f"bkp-exporter: error: {exc}", err=True)
        sys.exit(exc.exit_code)


if __name__ == "__main__":
    main()
