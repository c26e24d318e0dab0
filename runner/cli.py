"""bkp-run: the command line. Heavy modules are imported by the command that needs them."""

from __future__ import annotations

from typing import NoReturn

import click

from bkp.cli import Program, run
from bkp.jobs import JOBS
from runner import PROGRAM

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


# Which module of runner/commands has which command. A command's module is imported when it is called.
MODULES = {
    "jobs": tuple({spec.words[0]: None for spec in JOBS.values() if not spec.by_person}),
    "configuration": ("config",),
    "escrow": ("escrow-drill", "export-key"),
    "follow": ("follow",),
    "looking": ("list", "status", "history"),
    "mail": ("mail",),
    "pausing": ("pause", "resume"),
    "probe": ("probe",),
    "restoring": ("restore",),
    "ssh_gate": ("ssh-gate",),
    "units": ("units",),
    "watch": ("watch",),
}


@click.group(cls=Program, epilog=EPILOG, package="runner.commands", modules=MODULES)
def cli() -> None:
    """Back up, check, prove and restore: the work of the backup server."""


def main() -> NoReturn:
    """Run the command line and end with one of `ExitCode`."""
    run(PROGRAM, cli)
