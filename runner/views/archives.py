"""The archives of a repository, with what the history knows of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bkp.quantities import format_size

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from bkp.state.records import Run
    from bkp.tools.borg.client import Listing


def as_text(target: str, listing: Listing, made: Mapping[str, Run], zone: tzinfo) -> str:
    """Return a table, newest last; times in the host's zone. What no run is recorded of has only a name and a time."""
    count = len(listing.archives)
    lines = [f"{target}: {count:,} archive{'s' if count != 1 else ''} in {listing.location} ({listing.encryption})"]
    rows = [("archive", "made", "files", "size", "new")]
    for each in listing.archives:
        when = each.started_at.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")
        run = made.get(each.id)
        facts = ("", "", "")
        if run is not None and run.archive is not None:
            archive = run.archive
            facts = (f"{archive.files:,}", format_size(archive.original_bytes), format_size(archive.deduplicated_bytes))
        rows.append((each.name, when, *facts))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for name, when, *numbers in rows if listing.archives else ():
        right = (f"{cell:>{width}}" for cell, width in zip(numbers, widths[2:], strict=True))
        lines.append("  ".join(["", f"{name:<{widths[0]}}", f"{when:<{widths[1]}}", *right]).rstrip())
    return "\n".join(lines)


def as_json(target: str, listing: Listing, made: Mapping[str, Run]) -> bytes:
    """Return the same as one JSON object; sizes in bytes, times UTC."""
    return msgspec.json.encode(
        {
            "target": target,
            "repository": {"id": listing.repository_id, "location": listing.location, "encryption": listing.encryption},
            "archives": [
                {
                    "name": each.name,
                    "id": each.id,
                    "started_at": each.started_at,
                    "recorded": run.archive if (run := made.get(each.id)) else None,
                }
                for each in listing.archives
            ],
        }
    )
