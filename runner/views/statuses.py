"""How every configured job stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bkp.quantities import format_duration
from bkp.status import JobStatus, Status
from runner.views.terminal import coloured

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, tzinfo

_SIGN = {
    Status.OK: "✓",
    Status.RUNNING: "…",
    Status.LATE: "✗",
    Status.FAILED: "✗",
    Status.NEVER: "✗",
    Status.UNKNOWN: "?",
}


def all_well(statuses: Sequence[JobStatus]) -> bool:
    """Return whether nothing needs a person. Unknown is not well, nor is what is scheduled and never ran."""
    return not any(each.needs_attention for each in statuses)


def as_text(statuses: Sequence[JobStatus], now: datetime, zone: tzinfo) -> str:
    """Return one line a job, and below it the reason where not all is well; times in the host's zone."""
    rows = [
        ("", "job", "target", "status", "last success", "deadline"),
        *(_cells(each, now, zone) for each in statuses),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    lines = []
    for row, status in zip(rows, (None, *statuses), strict=True):
        cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)]
        if status is not None and not status.is_unused:
            cells[0], cells[3] = coloured(cells[0], status.status), coloured(cells[3], status.status)
        lines.append("  ".join(cells).rstrip())
        if status is not None and (status.status is not Status.OK or _warned(status)):
            lines.append(f"   {status.explanation}")
    return "\n".join(lines)


def _cells(status: JobStatus, now: datetime, zone: tzinfo) -> tuple[str, ...]:
    return (
        "–" if status.is_unused else _SIGN[status.status],
        status.job,
        status.target,
        status.status + (" (warnings)" if _warned(status) else ""),
        _last_success(status, now),
        status.deadline.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z") if status.deadline else "–",
    )


def _last_success(status: JobStatus, now: datetime) -> str:
    if status.last_success_at is not None:
        return f"{format_duration(now - status.last_success_at)} ago"
    return "not known" if status.status is Status.UNKNOWN else "never"


def _warned(status: JobStatus) -> bool:
    return status.warnings and status.status is Status.OK


def as_json(statuses: Sequence[JobStatus]) -> bytes:
    """Return the same as JSON; times UTC."""
    return msgspec.json.encode(statuses)
