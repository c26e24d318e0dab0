"""How every configured job stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bkp.quantities import format_duration
from bkp.state.fields import Outcome
from bkp.state.reading import Readable
from bkp.state.records import Process
from bkp.status import JobStatus, Status, job_status
from runner.views.terminal import coloured

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from datetime import datetime, tzinfo

    from bkp.config.model import Config
    from bkp.state.store import StateStore

_SIGN = {
    Status.OK: "✓",
    Status.RUNNING: "…",
    Status.LATE: "✗",
    Status.FAILED: "✗",
    Status.NEVER: "✗",
    Status.UNKNOWN: "?",
}


def collect(
    config: Config,
    store: StateStore,
    now: datetime,
    zone: tzinfo,
    is_alive: Callable[[Process], bool | None],
    targets: Collection[str],
) -> list[JobStatus]:
    """Return the status of every job on each of `targets`."""
    found = []
    for name, job in config.jobs.items():
        for target in (each for each in config.targets(name) if each in targets):
            state = store.read_job(name, target)
            latest = state.latest.value if isinstance(state.latest, Readable) else None
            alive = is_alive(latest.process) if latest and latest.outcome is Outcome.RUNNING else None
            found.append(job_status(state, job, now, zone, alive=alive))
    return found


def all_well(statuses: Sequence[JobStatus]) -> bool:
    """Return whether nothing needs a person. Unknown is not well, nor is what is scheduled and never ran."""
    return all(each.status in {Status.OK, Status.RUNNING} or _not_wanted_yet(each) for each in statuses)


def _not_wanted_yet(status: JobStatus) -> bool:
    """Return whether it is a job that is run by hand only, and that nobody has run."""
    return status.status is Status.NEVER and not status.scheduled


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
        if status is not None and not _not_wanted_yet(status):
            cells[0], cells[3] = coloured(cells[0], status.status), coloured(cells[3], status.status)
        lines.append("  ".join(cells).rstrip())
        if status is not None and (status.status is not Status.OK or _warned(status)):
            lines.append(f"   {status.explanation}")
    return "\n".join(lines)


def _cells(status: JobStatus, now: datetime, zone: tzinfo) -> tuple[str, ...]:
    return (
        "–" if _not_wanted_yet(status) else _SIGN[status.status],
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
