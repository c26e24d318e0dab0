"""bkp-run: the command line. Heavy modules are imported by the command that needs them."""

from __future__ import annotations

from typing import NoReturn

import click

from bkp.cli import Program, run
from runner import PROGRAM
from runner.commands import (
    configuration,
    escrow,
    follow,
    jobs,
    looking,
    mail,
    pausing,
    probe,
    restoring,
    ssh_gate,
    units,
    watch,
)

EPILOG = """\b
Examples:
  bkp-run nightly                 archive, prove, prune and compact
  bkp-run nightly --dry-run       say what would be run
  bkp-run drill --json            restore a sample, compare, print the record
  bkp-run status                  what is ok, late or failed
  bkp-run scrub                   scrub the pools, with progress
  bkp-run probe                   look at pools, disks and the host
  bkp-run export-key              write the key that copies are made of
  bkp-run watch                   mail what has changed
  bkp-run mail test               send a mail with a code to confirm
  bkp-run restore latest etc/hosts --to /tmp/restored
  bkp-run units install --enable  have systemd run all of this

\b
Exit codes: 0 success, 1 success with warnings, 2 usage or configuration,
3 failure, 4 not now (another run holds the lock, or deferred), 130 interrupted.
"""


@click.group(cls=Program, epilog=EPILOG)
def cli() -> None:
    """Back up, check, prove and restore: the work of the backup server."""


for _module in (jobs, escrow, follow, looking, pausing, probe, watch, restoring, mail, configuration, units, ssh_gate):
    for _command in _module.COMMANDS:
        cli.add_command(_command)


def main() -> NoReturn:
    """Run the command line and end with one of `ExitCode`."""
    run(PROGRAM, cli)
