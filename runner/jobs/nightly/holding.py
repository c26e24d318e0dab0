"""Why nothing is pruned although tonight's archive is a good one: the others are not what the rules take them for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bkp.archive_names import good_ones, of_the_future, run_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bkp.state.records import Run
    from bkp.tools.borg.client import ArchiveListing


class Hold(NamedTuple):
    """Why nothing is pruned, and what a person should do."""

    reason: str
    remedy: str


def hold(
    archives: Sequence[ArchiveListing], prefix: str, now: datetime, runs: Sequence[Run], since: datetime
) -> Hold | None:
    """Return why the rules must not be applied to these archives; None if they may be.

    `now` is the time in UTC, and `runs` are the recorded ones that make archives, oldest first. All that was there at
    `since` is this server's. Tonight's archive is not among the good ones yet.
    """
    good = good_ones(archives, prefix)
    if early := of_the_future(good, now):
        return Hold(
            f"{_named(early)} dated in the future: the clock was wrong then, or is wrong now",
            f"set the clock; if it is right, take the name away: `borg rename REPOSITORY::{early[0].name} misdated`",
        )
    if strange := _strangers(good, runs, since):
        return Hold(
            f"{_named(strange)} not of this server's recorded nights, under the same prefix: another server's?",
            "give each server an archive_prefix of its own; if all are this one's: "
            "`bkp-run nightly --accept-repository` once",
        )
    return None


def _strangers(good: Sequence[ArchiveListing], runs: Sequence[Run], since: datetime) -> list[ArchiveListing]:
    """Return the archives that some bkp has named and none of the runs made, of the time that those tell of."""
    if not runs:
        return []
    known, begin = {run.run_id for run in runs}, max(since, runs[0].started_at)
    return [each for each in good if each.started_at > begin and (run := run_of(each.name)) and run not in known]


def _named(archives: Sequence[ArchiveListing]) -> str:
    first, more = archives[0].name, len(archives) - 1
    return f"archive {first} and {more:,} more are" if more else f"archive {first} is"
