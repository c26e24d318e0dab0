"""What the retention rules will give up, read as borg reads them (borg-prune(1)), before anything is removed. Pure.

A rule keeps the newest archive of each period, going back in time, of as many periods as it says. An archive that an
earlier rule keeps is not counted again. A rule that finds too few periods also keeps the oldest archive.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bkp.words import some
from runner.jobs.nightly.holding import Hold

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from bkp.config.repositories import Keep
    from bkp.tools.borg.client import ArchiveListing

_HOURS = {"H": 1, "d": 24, "w": 24 * 7, "m": 24 * 31, "y": 24 * 365}
_UNCOUNTED = 2  # two nights may leave a span at once, one having begun later than the other


def given_up(good: Sequence[ArchiveListing], keep: Keep, now: datetime) -> list[ArchiveListing]:
    """Return which of the archives that count the rules give up at `now` (UTC), oldest first."""
    # borg's manifest is in the order of names, and so are archives of the same second.
    newest_first = sorted(good, key=lambda each: (each.started_at, each.name), reverse=True)
    kept: set[str] = set()
    if keep.within is not None:
        span = timedelta(hours=int(keep.within[:-1]) * _HOURS[keep.within[-1]])
        kept |= {each.id for each in newest_first if each.started_at > now - span}
    for count, period in (
        (keep.last, "%Y-%m-%d %H:%M:%S"),
        (keep.daily, "%Y-%m-%d"),
        (keep.weekly, "%G-%V"),
        (keep.monthly, "%Y-%m"),
        (keep.yearly, "%Y"),
    ):
        kept |= _kept_by(newest_first, count, period, kept)
    return [each for each in reversed(newest_first) if each.id not in kept]


def _kept_by(newest_first: Sequence[ArchiveListing], count: int, period: str, before: set[str]) -> set[str]:
    found: set[str] = set()
    last = None
    for each in newest_first:
        if len(found) == count:
            return found
        current = each.started_at.strftime(period)
        if current != last:
            last = current
            if each.id not in before:
                found.add(each.id)
    if newest_first and len(found) < count:
        found.add(newest_first[-1].id)
    return found


def usual_most(good: Sequence[ArchiveListing], keep: Keep, left: Collection[str] | None) -> int:
    """Return how many archives a prune gives up at most, if nothing unusual has happened.

    As many as came since the last one, which left `left`, and one for each rule: a day, a week and a month may end in
    the same night. Where nothing of `left` is there, only tonight's archive came.
    """
    last = max((each.started_at for each in good if each.name in (left or ())), default=None)
    came = 1 if left is None or last is None else sum(each.name not in left and each.started_at > last for each in good)
    return came + _at_once(keep)


def _at_once(keep: Keep) -> int:
    rules = (keep.last, keep.daily, keep.weekly, keep.monthly, keep.yearly, keep.within)
    return sum(bool(each) for each in rules) + _UNCOUNTED


def too_many(
    doomed: Sequence[ArchiveListing],
    good: Sequence[ArchiveListing],
    keep: Keep,
    left: Collection[str] | None,
    target: str,
) -> Hold | None:
    """Return why the rules must not be applied before a person has said so; None if they give up what is usual."""
    most = usual_most(good, keep, left)
    before = [each for each in good if each.name in (left or ())]
    # What the rules of the last prune left they give up only as time passes; at that moment, only other rules do.
    at_that_time = given_up(before, keep, max(each.started_at for each in before)) if before else []
    if len(doomed) <= most and len(at_that_time) <= _at_once(keep):
        return None
    return Hold(
        f"the rules would remove {len(doomed):,} of {len(good):,} archives, where {most} at most are usual: "
        f"{some([each.name for each in doomed])}",
        f"see that the clock is right, and that repositories.{target}.keep says what is meant (after a change of it a "
        f"prune stops here, too); then `bkp-run prune --target {target} --accept-removal` once",
    )
