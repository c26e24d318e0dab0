"""When a scrub stands aside for the nightly run. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.state.fields import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, timedelta, tzinfo

    from bkp.config.jobs import Job
    from bkp.state.records import Run


def stands_aside(
    nightly: Job, lead: timedelta, latest: Iterable[Run | None], under_way: bool, now: datetime, zone: tzinfo
) -> bool:
    """Return whether a scrub is to be paused now.

    From `lead` before the nightly is due until each repository's has run since, or until it counts as late: a nightly
    that never comes must not hold the scrub. `latest` is the last attempt on each repository; `under_way`: one runs.
    """
    if under_way:
        return True
    if nightly.schedule is None:
        return False
    due = nightly.schedule.next_after(now, zone)
    if due is not None and due - now <= lead:
        return True
    elapsed = nightly.schedule.next_after(now - nightly.grace, zone)
    if elapsed is None or elapsed > now:
        return False
    return not all(
        run is not None and run.started_at >= elapsed and run.outcome is not Outcome.RUNNING for run in latest
    )
