"""Probes side by side, each in a thread of its own, all within one limit.

A probe that hangs (a suspended pool, a dead file server) keeps nothing back: what it did not answer in time becomes an
error, and its thread is left behind. Threads are daemons, so that the program can end without them.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from auditor.facts.builder import FactBuilder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LIMIT_SECONDS = 90.0


@dataclass
class Probe:
    """One thing to ask. `ask` adds facts; `late` adds the errors for those that it has not added in time."""

    ask: Callable[[FactBuilder], None]
    late: Callable[[FactBuilder, str], None]
    defect: BaseException | None = field(default=None, init=False)


def gather(builder: FactBuilder, probes: Sequence[Probe], limit: float = LIMIT_SECONDS) -> None:
    """Ask all probes at once and add their facts, in the order of the probes. A defect in one of them is raised."""
    deadline = time.monotonic() + limit
    begun = []
    for probe in probes:
        own = FactBuilder(builder.now)
        thread = threading.Thread(target=_ask, args=(probe, own), daemon=True)
        thread.start()
        begun.append((probe, own, thread))
    for probe, own, thread in begun:
        thread.join(max(0.0, deadline - time.monotonic()))
        found = FactBuilder(builder.now)
        found.facts = dict(own.facts)  # a thread that is late may still add to its own
        if thread.is_alive():
            probe.late(found, f"no answer within {limit:g} s")
        elif probe.defect is not None:
            raise probe.defect
        builder.facts |= found.facts


def _ask(probe: Probe, own: FactBuilder) -> None:
    try:
        probe.ask(own)
    except BaseException as exc:  # noqa: BLE001  # raised again where the facts are wanted
        probe.defect = exc
