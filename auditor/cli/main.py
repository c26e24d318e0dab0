"""The `bkp-audit` command: its commands, and the exit codes of its errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import click

from auditor import PROGRAM
from auditor.cli.attest import attest
from auditor.cli.ending import UnmailedError
from auditor.cli.facts import facts
from auditor.cli.fingerprint import fingerprint
from auditor.cli.rules import rules
from auditor.cli.run import run
from auditor.exit_codes import MEANING, AuditExit
from bkp import cli
from bkp.errors import RefutedError, StateError, StepFailedError
from bkp.output import OutputError

if TYPE_CHECKING:
    from bkp.errors import BkpError

_EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code:d}  {text}" for code, text in MEANING.items())

_HELP = """Judge this backup server rule by rule, with evidence.

Without a command, `run` is meant: collect facts from the host and the records of bkp-run, judge all rules, print the
report.

\b
Examples:
  bkp-audit                                  audit this host by /etc/bkp/config.yml
  bkp-audit -c other.yml                     audit it by another configuration
  bkp-audit --html report.html --json report.json
  bkp-audit --mail                           keep and mail it, as the monthly unit does
  bkp-audit --fail-on high                   end with 1 only from severity high on
  bkp-audit facts -o facts.json              save the evidence, judge nothing
  bkp-audit --facts facts.json               judge saved evidence, anywhere
  bkp-audit rules list                       what would be judged
  bkp-audit rules show PRM-001               one rule, and why it is there
  bkp-audit fingerprint borg-key.txt         which key an export holds
  bkp-audit attest                           say what lies in safe places, location by location
"""


_OWN_FLAGS = ("--help", "--version", "-h")


class _RunByDefault(cli.Program):
    """A program whose first word may be left out: then it is `run`."""

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


@click.group(cls=_RunByDefault, help=_HELP, epilog=_EPILOG)
def command() -> None:
    """Judge this backup server."""


command.add_command(run)
command.add_command(facts)
command.add_command(rules)
command.add_command(fingerprint)
command.add_command(attest)


def main() -> NoReturn:
    """Run the command line and end with one of `AuditExit`, or 130 after Ctrl-C."""
    cli.run(PROGRAM, command, exit_code=_exit_code, after_defect=": no verdict of this run counts")


def _exit_code(error: BkpError) -> int:
    if isinstance(error, RefutedError):
        return AuditExit.FINDING
    return (
        AuditExit.UNJUDGED
        if isinstance(error, OutputError | StateError | StepFailedError | UnmailedError)
        else AuditExit.INVALID
    )
