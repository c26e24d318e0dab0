"""What a terminal adds to text: colour beside the word that it repeats."""

from __future__ import annotations

import contextlib
import os

import click

from bkp.output import OutputError
from bkp.state.fields import Outcome
from bkp.status import Status

_COLOURS = {
    Outcome.SUCCESS: "green",
    Outcome.WARNING: "yellow",
    Outcome.SKIPPED: "yellow",
    Outcome.DEFERRED: "cyan",
    Outcome.RUNNING: "cyan",
    Outcome.FAILURE: "red",
    Outcome.INTERRUPTED: "red",
    Status.OK: "green",
    Status.RUNNING: "cyan",
    Status.LATE: "red",
    Status.FAILED: "red",
    Status.NEVER: "red",
    Status.UNKNOWN: "magenta",
}


def coloured(text: str, of: Outcome | Status) -> str:
    """Return `text` in the colour of an outcome or status; `say` leaves the colour out where nobody could see it."""
    return click.style(text, fg=_COLOURS[of])


def say(text: str | bytes, *, err: bool = False) -> None:
    """Print. Output that cannot be written changes nothing about how the run went, nor about its exit code."""
    with contextlib.suppress(OutputError):
        click.echo(text, err=err, color=False if os.environ.get("NO_COLOR") else None)
