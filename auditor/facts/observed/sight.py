"""Whether a look of the probe counts as evidence. A value that is kept from an earlier look never does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bkp.inventory import is_ahead, is_old
from bkp.quantities import format_duration
from bkp.state.reading import Missing, Unreadable

if TYPE_CHECKING:
    from datetime import datetime

    from auditor.facts.builder import FactBuilder
    from bkp.inventory import DiskEntry, Inventory, PoolEntry
    from bkp.observations import Observations
    from bkp.state.observed import Observed, Part
    from bkp.state.reading import Reading

NEVER = "the probe has never looked: `bkp-run probe` does"


def source(kind: str) -> str:
    """Return where the facts of a kind of observation are from."""
    return f"state: observed/{kind}.json"


def doubt(part: Part[Any] | None, kind: str, reading: Reading[Observed[Any]], now: datetime) -> str | None:
    """Return why nothing is known of a part now; None if the last look at it counts, whether it is there or not."""
    if isinstance(reading, Unreadable):
        return f"observed/{kind}.json {reading.reason}"
    if part is None:
        return NEVER if isinstance(reading, Missing) else None
    if is_ahead(part, now):
        return "the probe's last look lies in the future: a clock was wrong"
    if is_old(part, kind, now):
        return f"the probe last looked {format_duration(now - part.looked_at)} ago"
    if part.missing:
        return None
    return part.error if part.error is not None or part.value is not None else "nothing was seen"


def collect_found(builder: FactBuilder, seen: Observations, inventory: Inventory) -> None:
    """Add probe.*. Without any observation nothing was found; one that cannot be read may have found anything."""
    facts = builder.of("probe")
    facts.add(source("disks"), {"looked": not isinstance(seen.disks, Missing)})
    kinds: tuple[tuple[str, Reading[Observed[Any]], tuple[PoolEntry | DiskEntry, ...]], ...] = (
        ("pools", seen.pools, inventory.pools),
        ("disks", seen.disks, inventory.disks),
    )
    for kind, reading, entries in kinds:
        field = f"found_{kind}"
        if isinstance(reading, Unreadable):
            facts.fail(source(kind), f"observed/{kind}.json {reading.reason}", (field,))
            continue
        where = f"{source(kind)}: the probe has never looked" if isinstance(reading, Missing) else source(kind)
        looks = [entry.part.looked_at for entry in entries if entry.part is not None]
        names = tuple(entry.name for entry in entries if entry.settings is None)
        facts.add(where, {field: names}, at=min(looks, default=None))
