"""The archives of a repository, with what the history knows of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bkp.archive_names import is_good_name, kind_of, of_the_future
from bkp.quantities import format_size
from bkp.state.archives import flaw

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, tzinfo

    from bkp.state.records import Run
    from bkp.tools.borg.client import Listing


def marks(listing: Listing, made: Mapping[str, Run], prefix: str, now: datetime) -> dict[str, str]:
    """Return what is the matter with each archive that is no good one, by its id. `now` is in UTC."""
    found = {}
    for each in listing.archives:
        kind = kind_of(each.name, prefix)
        run = made.get(each.id)
        if kind is not None:
            found[each.id] = f"{kind.rstrip('-')}: does not count"
        elif not is_good_name(each.name, prefix):
            found[each.id] = "another prefix: does not count"
        elif of_the_future([each], now):
            found[each.id] = "dated in the future"
        elif run is not None and run.archive is not None and (why := flaw(run.archive) or run.archive.size_suspicion):
            found[each.id] = why
    return found


def as_text(target: str, listing: Listing, made: Mapping[str, Run], marked: Mapping[str, str], zone: tzinfo) -> str:
    """Return a table, newest last; times in the host's zone. What no run is recorded of has only a name and a time.

    `marked` says of archives that are no good ones what is the matter (see `marks`).
    """
    count = len(listing.archives)
    lines = [f"{target}: {count:,} archive{'s' if count != 1 else ''} in {listing.location} ({listing.encryption})"]
    rows = [("archive", "made", "files", "size", "new", "")]
    for each in listing.archives:
        when = each.started_at.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")
        run = made.get(each.id)
        facts = ("", "", "")
        if run is not None and run.archive is not None:
            archive = run.archive
            facts = (f"{archive.files:,}", format_size(archive.original_bytes), format_size(archive.deduplicated_bytes))
        rows.append((each.name, when, *facts, marked.get(each.id, "")))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for name, when, *numbers, mark in rows if listing.archives else ():
        right = (f"{cell:>{width}}" for cell, width in zip(numbers, widths[2:], strict=True))
        lines.append("  ".join(["", f"{name:<{widths[0]}}", f"{when:<{widths[1]}}", *right, mark]).rstrip())
    return "\n".join(lines)


def as_json(target: str, listing: Listing, made: Mapping[str, Run], marked: Mapping[str, str]) -> bytes:
    """Return the same as one JSON object; sizes in bytes, times UTC. `doubt` is None of a good archive."""
    return msgspec.json.encode(
        {
            "target": target,
            "repository": {"id": listing.repository_id, "location": listing.location, "encryption": listing.encryption},
            "archives": [
                {
                    "name": each.name,
                    "id": each.id,
                    "started_at": each.started_at,
                    "doubt": marked.get(each.id),
                    "recorded": run.archive if (run := made.get(each.id)) else None,
                }
                for each in listing.archives
            ],
        }
    )
