"""The `bkp-audit` command and the one place where an error becomes a message and an exit code."""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING, NoReturn

import click
from click.core import ParameterSource

from auditor import PROGRAM, PROGRAM_VERSION
from auditor.cli.common import CONFIG_HELP, CONFIG_VARIABLE, FILE
from auditor.cli.facts import facts
from auditor.cli.rules import rules
from auditor.cli.run import run
from auditor.exit_codes import MEANING, AuditExit
from bkp.errors import BkpError, ExitCode
from bkp.output import OutputError, outlive_readers

if TYPE_CHECKING:
    from pathlib import Path

_EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code:d}  {text}" for code, text in MEANING.items())

_HELP = """Judge this backup server rule by rule, with evidence.

Without a command, `run` is meant: collect facts from the host and the records of bkp-run, judge all rules, print the
report.

\b
Examples:
  bkp-audit                                  audit this host by /etc/bkp/config.yml
  bkp-audit -c other.yml                     audit it by another configuration
  bkp-audit --html report.html --json report.json
  bkp-audit --fail-on high                   end with 1 only from severity high on
  bkp-audit facts -o facts.json              save the evidence, judge nothing
  bkp-audit --facts facts.json               judge saved evidence, anywhere
  bkp-audit rules list                       what would be judged
  bkp-audit rules show PRM-001               one rule, and why it is there
"""


_OWN_FLAGS = ("--help", "--version", "-h")


class _RunByDefault(click.Group):
    """A group whose first word may be left out: then it is `run`. --config may stand before or after that word."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        at = _after_config(args)
        if at == len(args) or (args[at].startswith("-") and args[at] not in _OWN_FLAGS):
            args = [*args[:at], "run", *args[at:]]
        return super().parse_args(ctx, args)


def _after_config(args: list[str]) -> int:
    """Return where the words begin that are no --config of the group's own."""
    at = 0
    while at < len(args):
        if args[at] in {"-c", "--config"}:
            at = min(at + 2, len(args))
        elif args[at].startswith("--config=") or (args[at].startswith("-c") and not args[at].startswith("--")):
            at += 1
        else:
            break
    return at


def _print_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(PROGRAM_VERSION)
        ctx.exit()


@click.group(cls=_RunByDefault, help=_HELP, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, callback=_print_version, expose_value=False, is_eager=True, help="Say the version."
)
@click.option(
    "--config",
    "-c",
    "config_path",
    type=FILE,
    envvar=CONFIG_VARIABLE,
    help=CONFIG_HELP,
)
@click.pass_context
def command(ctx: click.Context, config_path: Path | None) -> None:
    """Judge this backup server."""
    # the variable is only a default: what is named here is what the commands below take for asked for
    ctx.obj = config_path if ctx.get_parameter_source("config_path") is ParameterSource.COMMANDLINE else None


command.add_command(run)
command.add_command(facts)
command.add_command(rules)


def main() -> NoReturn:
    """Run the command line and exit with one of `AuditExit`, or 130 after Ctrl-C."""
    outlive_readers()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        result = command.main(prog_name=PROGRAM, standalone_mode=False)
    except click.exceptions.Exit as exc:
        sys.exit(exc.exit_code)
    except click.ClickException as exc:
        exc.show()
        sys.exit(AuditExit.INVALID)
    except (click.Abort, KeyboardInterrupt):
        click.echo(f"{PROGRAM}: interrupted", err=True)
        sys.exit(ExitCode.INTERRUPTED)
    except OutputError as exc:
        click.echo(f"{PROGRAM}: {exc}", err=True)
        sys.exit(AuditExit.UNJUDGED)
    except BkpError as exc:
        click.echo(f"{PROGRAM}: {exc}", err=True)
        sys.exit(AuditExit.INVALID)
    except Exception:  # noqa: BLE001  # a defect must not look like a finding, exit code 1
        traceback.print_exc()
        click.echo(f"{PROGRAM}: this is a defect of {PROGRAM}: no verdict of this run counts", err=True)
        sys.exit(AuditExit.UNJUDGED)
    sys.exit(int(result or 0))
