"""What a person brings: a key export by file or standard input, and the location that it was taken from."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bkp.errors import UsageError, did_you_mean
from bkp.key_export import MAX_BYTES, ExportedKey, parse_key_export
from bkp.words import words

if TYPE_CHECKING:
    from bkp.attestations.topics import Topic
    from bkp.config.model import Config
    from bkp.config.reports import EscrowLocation

STDIN = "-"


def read_export(name: str) -> ExportedKey:
    """Return the key in the file of that name, or on standard input (`-`); raise `UsageError` where there is none."""
    shown = "standard input" if name == STDIN else name
    try:
        if name == STDIN:
            content = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(name).open("rb") as handle:
                content = handle.read(MAX_BYTES + 1)
        return parse_key_export(content)
    except OSError as exc:
        raise UsageError(f"{shown} cannot be read: {exc.strerror}", remedy="name an export, or - for stdin") from None
    except ValueError as exc:
        raise UsageError(f"{shown} {exc}", remedy="export the key again where that can be done, and store it") from None


def escrow_location(config: Config, topic: Topic, name: str) -> EscrowLocation:
    """Return the configured location of that name, which is to hold the thing; raise `UsageError` otherwise."""
    known = {place.name: place for place in config.audit.escrow}
    if name not in known:
        further = f"configured: {', '.join(known)}" if known else "audit.escrow lists them: there are none yet"
        raise UsageError(f"no escrow location is called {name!r}", remedy=did_you_mean(name, known, further))
    if topic.item is not None and topic.item not in known[name].holds:
        held = f"the configuration does not say that {name} holds {topic.title}: no rule would look at it"
        raise UsageError(held, remedy=f"add {topic.item} to its `holds` below audit.escrow")
    return known[name]


def insist_on_name(by: str) -> None:
    """Raise `UsageError` where nobody vouches."""
    if not words(by):
        raise UsageError("--by names nobody", remedy="say who vouches for it")
