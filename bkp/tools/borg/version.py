"""borg's version, asked once per installed binary: starting borg costs more than reading what it last said."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bkp.errors import StateError
from bkp.state.files import Readable, read_record, write_record
from bkp.tools.process import Command, clean_environment, run


class KnownVersion(msgspec.Struct, frozen=True):
    """What a binary said of itself, and how to tell that it is still the same binary (stat(2))."""

    schema: int
    path: str
    mtime_ns: int
    bytes: int
    version: str


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
        if (last.schema, last.path, last.mtime_ns, last.bytes) == (1, borg, facts.st_mtime_ns, facts.st_size):
            return last.version
    completed = run(Command(argv=(borg, "--version"), environment=clean_environment()), timeout=30.0, grace=5.0)
    name, _, version = completed.stdout.decode("ascii", "replace").strip().partition(" ")
    if completed.exit_code != 0 or name != "borg" or not version or len(version) > 40:
        return None
    try:
        record = KnownVersion(schema=1, path=borg, mtime_ns=facts.st_mtime_ns, bytes=facts.st_size, version=version)
        write_record(cache, record, durable=False)
    except StateError:
        pass  # it is only a shortcut
    return version
