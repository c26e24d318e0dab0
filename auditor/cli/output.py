"""Where reports go: checked before anything slow is begun, written whole or not at all, and honest when that fails."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from bkp.errors import StateError, UsageError
from bkp.output import OutputError

OUTPUT = click.Path(dir_okay=False, allow_dash=True, path_type=Path)
STDOUT = "standard output"

_STDOUT_NAMES = frozenset({"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"})
_REMEDY = "see that there is space, and that this account may write there; or name another file"


def is_stdout(path: Path | None) -> bool:
    """Return whether the path stands for standard output."""
    return path is not None and str(path) in _STDOUT_NAMES


def check_outputs(*paths: Path | None) -> None:
    """Raise `UsageError` where two outputs would go to one place, or the folder of one is not there."""
    seen: set[str] = set()
    for path in paths:
        if path is None:
            continue
        place = STDOUT if is_stdout(path) else os.path.realpath(path)
        if place in seen:
            raise UsageError(f"two reports are to be written to {place}", remedy="name another file for one of them")
        seen.add(place)
        if not is_stdout(path) and not os.path.isdir(os.path.dirname(place)):  # noqa: PTH112, PTH120  # never raises
            raise UsageError(f"cannot write {path}: its folder is not there", remedy="create the folder")


def write_output(path: Path, content: bytes, *, mode: int = 0o640) -> None:
    """Replace `path` whole or not at all; `-` is standard output. Raise `OutputError` with the reason if it fails."""
    if is_stdout(path):
        _write_stdout(content)
        return
    from bkp.state.files import write_atomic

    try:
        if path.exists() and not path.is_file():  # a device or a pipe, as in >(command): not to be replaced
            with path.open("wb") as handle:
                handle.write(content)
        else:
            write_atomic(path.absolute(), content, mode=mode)
    except BrokenPipeError:  # whoever reads it has enough
        return
    except (StateError, OSError) as exc:
        cause = exc.__cause__ if isinstance(exc, StateError) else exc
        reason = getattr(cause, "strerror", None) or str(exc)
        raise OutputError(f"cannot write {path}: {reason}", remedy=_REMEDY) from exc


def print_text(text: str) -> None:
    """Write text, which may be coloured, to standard output. Raise `OutputError` with the reason if it fails."""
    click.echo(text, nl=False)
    sys.stdout.flush()


def _write_stdout(content: bytes) -> None:
    if sys.stdout is None:
        raise OutputError(f"cannot write to {STDOUT}: it is closed", remedy="name a file")
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
