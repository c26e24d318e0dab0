"""borg's version, asked once per installed binary: starting borg costs more than reading what it last said."""

from __future__ import annotations

import re
from pathlib import Path

from bkp.errors import BkpError, StateError
from bkp.state.files import read_record, write_record
from bkp.state.reading import Readable
from bkp.state.records import KnownVersion
from bkp.tools.process import Command, clean_environment, run

OLDEST = (1, 2, 4)
_NUMBERS = re.compile(r"([0-9]+)\.([0-9]+)(?:\.([0-9]+))?(?![0-9])")


class UnsupportedBorgError(BkpError):
    """The borg that is installed is not one that bkp was made for: nothing is run with it."""


def borg_version(borg: str, cache: Path) -> str | None:
    """Return what `borg --version` says, from `cache` if the binary is unchanged; None if it cannot be had.

    The binary's own time and size are what is compared: a Debian upgrade replaces /usr/bin/borg with the package.
    """
    try:
        facts = Path(borg).stat()
    except OSError:
        return None
    known = read_record(cache, KnownVersion)
    if isinstance(known, Readable):
        last = known.value
        if (last.path, last.mtime_ns, last.bytes) == (borg, facts.st_mtime_ns, facts.st_size):
            return last.version
    completed = run(Command(argv=(borg, "--version"), environment=clean_environment()), timeout=30.0, grace=5.0)
    name, _, version = completed.stdout.decode("ascii", "replace").strip().partition(" ")
    if completed.exit_code != 0 or name != "borg" or not version or len(version) > 40:
        return None
    try:
        record = KnownVersion(path=borg, mtime_ns=facts.st_mtime_ns, bytes=facts.st_size, version=version)
        write_record(cache, record, durable=False)
    except StateError:
        pass  # it is only a shortcut
    return version


def refuse_unsupported(borg: str, version: str) -> None:
    """Raise `UnsupportedBorgError` unless bkp was made for that version of borg: 1.2.4 or newer of the 1.x series.

    An older one lacks options that every call has, 2.x has other commands and repositories. Neither should be asked
    to touch an archive before somebody has read about it.
    """
    match = _NUMBERS.match(version)
    numbers = tuple(int(each or 0) for each in match.groups()) if match else ()
    if not OLDEST <= numbers < (2,):
        raise UnsupportedBorgError(
            f"{borg} is borg {version}; wanted 1.2.4 or newer of the 1.x series",
            remedy="install Debian's borgbackup, or name another borg in repositories.….borg",
        )
