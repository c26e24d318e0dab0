"""What a terminal adds to text: colour beside the word that it repeats, and lines that break between words."""

from __future__ import annotations

import contextlib
import os
import sys

import click

from bkp.state.records import Outcome
from bkp.status import Status

_COLOURS = {
    Outcome.SUCCESS: "green",
    Outcome.WARNING: "yellow",
    Outcome.SKIPPED: "yellow",
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
    """Print. A reader or terminal that has gone changes nothing about how the run went, nor about its exit code."""
    try:
        click.echo(text, err=err, color=False if os.environ.get("NO_COLOR") else None)
    except OSError:
        # What is still buffered would fail once more when Python ends, and turn the exit code into 120.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), (sys.stderr if err else sys.stdout).fileno())


def complain(error: str) -> None:
    """Print an error and its remedy on stderr; on a terminal in lines of its width."""
    if sys.stderr.isatty():
        width = min(WIDEST, os.get_terminal_size(sys.stderr.fileno()).columns or WIDEST)
        lines = [click.wrap_text(line.strip(), width, _indent(line), "    ") for line in error.splitlines()]
        error = "\n".join(lines)
    say(f"{click.style('bkp-run: error:', fg='red')} {error}", err=True)


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
