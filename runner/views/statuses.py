"""How every configured job stands."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click
import msgspec

from bkp.concerns.model import need_attention
from bkp.errors import ExitCode
from bkp.quantities import format_duration
from bkp.status import JobStatus, Status
from runner.views.terminal import coloured

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, tzinfo

    from bkp.concerns import Concern

_SIGN = {
    Status.OK: "✓",
    Status.RUNNING: "…",
    Status.LATE: "✗",
    Status.FAILED: "✗",
    Status.NEVER: "✗",
    Status.UNKNOWN: "?",
}


_CONCERN_COLOUR = {"critical": "red", "warning": "yellow", "info": "cyan"}


def exit_code(concerns: Sequence[Concern]) -> ExitCode:
    """Return what `bkp-run status` ends with: 0 if nothing needs a person, 1 for warnings of runs alone, else 3."""
    found = need_attention(concerns)
    if not found:
        return ExitCode.SUCCESS
    return ExitCode.WARNING if all(each.kind == "job_warnings" for each in found) else ExitCode.FAILURE


def as_text(statuses: Sequence[JobStatus], concerns: Sequence[Concern], now: datetime, zone: tzinfo) -> str:
    """Return one line a job, then the concerns, gravest first; times in the host's zone."""
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
    for concern in concerns:
        word = click.style(f"{concern.severity}:", fg=_CONCERN_COLOUR[concern.severity])
        since = f" (since {concern.since.astimezone(zone):%Y-%m-%d %H:%M %Z})" if concern.since else ""
        lines += ["", f"{word} {concern.sentence}{since}", f"  {concern.remedy}"]
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
        passed = now - status.last_success_at
        return f"{format_duration(passed)} ago" if passed >= timedelta(0) else "in the future"
    return "not known" if status.status is Status.UNKNOWN else "never"


def _warned(status: JobStatus) -> bool:
    return status.warnings and status.status is Status.OK


def as_json(statuses: Sequence[JobStatus], concerns: Sequence[Concern]) -> bytes:
    """Return the same as JSON; times UTC."""
    return msgspec.json.encode({"jobs": statuses, "concerns": concerns})
