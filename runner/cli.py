"""bkp-run: the command line. Heavy modules are imported by the command that needs them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from bkp import __version__
from bkp.config.load import DEFAULT_PATH
from bkp.errors import BkpError, ExitCode
from bkp.output import outlive_readers

EPILOG = """\b
Examples:
  bkp-run nightly                 archive, prove, prune and compact
  bkp-run nightly --dry-run       say what would be run
  bkp-run drill --json            restore a sample, compare, print the record
  bkp-run status                  what is ok, late or failed
  bkp-run restore latest etc/hosts --to /tmp/restored
  bkp-run units install --enable  have systemd run all of this

\b
Exit codes: 0 success, 1 success with warnings, 2 usage or configuration,
3 failure, 4 not now (another run holds the lock, or deferred), 130 interrupted.
"""


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="bkp-run")
@click.option(
    "--config",
    "-c",
    "config_path",
    type=click.Path(path_type=Path),
    default=DEFAULT_PATH,
    show_default=True,
    envvar="BKP_CONFIG",
    show_envvar=True,
    help="The configuration file.",
)
@click.pass_context
def cli(context: click.Context, config_path: Path) -> None:
    """Back up, check, prove and restore: the work of the backup server."""
    context.obj = config_path
    if os.environ.get("NO_COLOR"):
        context.color = False


def _add_commands() -> None:
    from runner.commands import configuration, jobs, looking, restoring, units  # cli imports commands last

    for module in (jobs, looking, restoring, configuration, units):
        for command in module.COMMANDS:
            cli.add_command(command)


def main() -> None:
    """Run the command line; every `BkpError` becomes one message and its exit code."""
    outlive_readers()
    _add_commands()
    try:
        code = cli.main(standalone_mode=False)
    except BkpError as exc:
        _complain(str(exc))
        sys.exit(exc.exit_code)
    except click.exceptions.Exit as exc:
        sys.exit(exc.exit_code)
    except click.ClickException as exc:
        exc.show()
        sys.exit(ExitCode.USAGE)
    except (click.Abort, KeyboardInterrupt):
        _complain("interrupted")
        sys.exit(ExitCode.INTERRUPTED)
    except Exception:  # noqa: BLE001  # Python would end with 1, which here means success with warnings
        import traceback

        traceback.print_exc()
        _complain("this is a defect of bkp-run")
        sys.exit(ExitCode.FAILURE)
    sys.exit(code if isinstance(code, int) else ExitCode.SUCCESS)


def _complain(text: str) -> None:
    from runner.views.terminal import complain

    complain(text)
