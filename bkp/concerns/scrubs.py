"""What is wrong with the scrubs of a pool. Only a scrub that finished counts as one; a resilver is none."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from bkp.quantities import format_duration, format_size

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from bkp.config.storage import Pool
    from bkp.zfs_health.model import PoolHealth, Scan


PAUSED_AT_MOST = timedelta(days=1)


class Finding(NamedTuple):
    """One concern of a pool about its scrubs."""

    kind: str
    why: str
    remedy: str
    since: datetime | None = None


def findings(health: PoolHealth, settings: Pool, now: datetime, culprits: tuple[str, ...]) -> Iterator[Finding]:
    """Yield them. `culprits` are the devices that count errors."""
    yield from _age(health, settings, now)
    yield from _errors(health.scrub, culprits)


def _age(health: PoolHealth, settings: Pool, now: datetime) -> Iterator[Finding]:
    scrub = health.scrub
    start = f"`zpool scrub {health.name}` starts one"
    limit = format_duration(settings.scrub_age)
    # it may stand aside for a night, but not for one night after the other
    aside = scrub.paused_at is not None and timedelta() <= now - scrub.paused_at <= PAUSED_AT_MOST
    if scrub.state == "paused" and not aside:
        remedy = f"`zpool scrub {health.name}` goes on with it"
        why = "its scrub has been paused for more than a day, and goes on only if somebody says so"
        yield Finding("scrub_stuck", why, remedy, scrub.paused_at)
    elif scrub.state == "canceled":
        yield Finding("scrub_stuck", "its last scrub was canceled: not all of it was read", start, scrub.end)
    elif scrub.state in {"in progress", "paused"}:
        remedy = "see whether a disk is slow: `zpool iostat -v`"
        if scrub.start is None or scrub.start > now:
            yield Finding("scrub_stuck", "how long its scrub has been running is not known", remedy)
        elif now - scrub.start > settings.scrub_age:
            yield Finding("scrub_stuck", f"its scrub has been running for more than {limit}", remedy, scrub.start)
    elif scrub.state == "never":
        yield Finding("scrub_old", "it was never scrubbed", start)
    elif scrub.state == "finished" and scrub.end is not None and scrub.end <= now:
        if now - scrub.end > settings.scrub_age:
            why = f"its last scrub ended {format_duration(now - scrub.end)} ago; the limit is {limit}"
            yield Finding("scrub_old", why, start, scrub.end)
    else:
        why = "when it was last scrubbed is not known"
        why += ": ZFS remembers only the last scan, and that was another" if scrub.state == "not told" else ""
        yield Finding("scrub_old", why, start)


def _errors(scrub: Scan, culprits: tuple[str, ...]) -> Iterator[Finding]:
    bad = [f"{scrub.errors} errors were not repaired"] if scrub.errors else []
    bad += [f"{format_size(scrub.repaired)} were repaired"] if scrub.repaired else []
    if scrub.state == "finished" and (scrub.errors is None or scrub.repaired is None):
        bad.append("not all of what it found is told")
    if bad:
        where = f"; errors are counted on {', '.join(culprits)}" if culprits else ""
        remedy = "look at the disk that counts errors and its cables, and scrub again"
        yield Finding("scrub_errors", f"in its last scrub {' and '.join(bad)}{where}", remedy, scrub.end)
