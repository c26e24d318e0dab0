"""What a terminal adds to text: colour beside the word that it repeats, and lines that break between words."""

from __future__ import annotations

import contextlib
import os
import sys

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
WIDEST = 100


def coloured(text: str, of: Outcome | Status) -> str:
    """Return `text` in the colour of an outcome or status; `say` leaves the colour out where nobody could see it."""
    return click.style(text, fg=_COLOURS[of])


def say(text: str | bytes, *, err: bool = False) -> None:
    """Print. Output that cannot be written changes nothing about how the run went, nor about its exit code."""
    with contextlib.suppress(OutputError):
        click.echo(text, err=err, color=False if os.environ.get("NO_COLOR") else None)


def complain(error: str) -> None:
    """Print an error and its remedy on stderr; on a terminal in lines of its width."""
    if sys.stderr.isatty():
        width = min(WIDEST, os.get_terminal_size(sys.stderr.fileno()).columns or WIDEST)
        lines = [click.wrap_text(line.strip(), width, _indent(line), "    ") for line in error.splitlines()]
        error = "\n".join(lines)
    say(f"{click.style('bkp-run: error:', fg='red')} {error}", err=True)


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
