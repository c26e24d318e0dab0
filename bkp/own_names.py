"""The names of this server. What is dated under another name was found by another host, and is no evidence of this one.

A server keeps the names under which its runs are recorded in its own history, so renaming it ends nothing.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

from bkp.state.reading import Readable, Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from bkp.config.model import Config
    from bkp.past import Past
    from bkp.state.reading import Reading

T = TypeVar("T")


def own_names(config: Config, lines: Past) -> frozenset[str]:
    """Return them, in small letters. `lines` is what the lines of the history alone come to."""
    names = {config.host or os.uname().nodename, os.uname().nodename, *lines.hosts}
    return frozenset(name.casefold() for name in names)


def of_this_host(reading: Reading[T], host_of: Callable[[T], str], names: frozenset[str]) -> Reading[T]:
    """Return what was read, or that it is another host's."""
    if not isinstance(reading, Readable) or (host := host_of(reading.value)).casefold() in names:
        return reading
    return Unreadable(reading.path, f"is of the host {host}, and not of this one")
