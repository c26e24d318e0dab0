"""What to tell now: a function of the concerns, of what was told before, of the configuration and of the clock.

What is one thing over time is told by its key: the statuses of a job are one thing, so that a job that failed and then
is late has become worse, rather than being well again and ill anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time, timedelta
from typing import TYPE_CHECKING, Literal

import msgspec

from bkp.concerns.model import GRAVEST_FIRST, KINDS
from bkp.state.watch import Known

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime, tzinfo

    from bkp.concerns import Concern
    from bkp.config.watching import Watch

What = Literal["new", "changed", "reminder", "flapping", "gone", "passed"]

SETTLED = timedelta(minutes=30)  # gone for so long: then it is over
FLAPPING_DAY = timedelta(days=1)
FLAPPING_TIMES = 3  # came so often in a day: flapping
FLAPPING_SETTLED = timedelta(hours=6)
_JOB = ("job_late", "job_never", "job_failed", "job_unknown")
# While one of these is there, nobody knows whether another concern is over: the look has not seen everything.
BLINDING = frozenset({"state_missing", "state_unreadable", "internal_error", "history_broken"})
# While one of these is there, nobody knows whether another concern about the same thing is over.
UNSEEN = frozenset(kind for kind in KINDS if kind.endswith(("_unknown", "_missing")) or kind == "clock_ahead")
# While one of these is there, nobody knows whether a concern of a kind that begins so is over.
UNSEEN_KINDS = {
    "probe_stale": ("pool_", "scrub_", "dataset_", "disk_", "host_", "records_disagree"),
    "escrow_unknown": ("escrow_",),
}
# While one of these is there, it stands for others about the same thing, which are not said beside it.
STANDS_FOR = {
    "pool_suspended": ("pool_status",),
    "pool_not_online": ("pool_status",),
    "pool_errors": ("pool_status",),
    "pool_data_errors": ("pool_status",),
    "dataset_locked": ("dataset_unmounted",),
    "archive_flawed": ("archive_unconfirmed", "archive_small"),
    "archive_small": ("archive_unconfirmed",),
    "escrow_lapsed": ("escrow_unproven",),
    "escrow_outdated": ("escrow_unproven",),
    "replica_lacking": ("replica_behind",),
}


@dataclass(frozen=True)
class Change:
    """One thing to tell. `known` is what is known of it; `lasted` is how long it was bad, where it is over.

    `passed`: it came and went before anybody was told.
    """

    what: What
    known: Known
    lasted: timedelta | None = None

    @property
    def is_over(self) -> bool:
        """Return whether it is not there any more."""
        return self.what in {"gone", "passed"}

    @property
    def is_urgent(self) -> bool:
        """Return whether it can wait neither for the end of quiet hours nor for others."""
        return self.what in {"new", "changed"} and self.known.severity == "critical"


@dataclass(frozen=True)
class Decision:
    """What to tell now, gravest first, and what is known after it was told, or if nothing can be told.

    `unchanged` are those that are there, of which there is nothing to tell.
    """

    changes: tuple[Change, ...]
    told: tuple[Known, ...]
    untold: tuple[Known, ...]
    unchanged: tuple[Known, ...]


def decide(
    concerns: Iterable[Concern],
    known: Iterable[Known],
    settings: Watch,
    now: datetime,
    zone: tzinfo,
    *,
    mailed_at: datetime | None = None,
    reported: Collection[str] = (),
    recovered: Collection[str] = (),
    undecided: Collection[str] = (),
) -> Decision:
    """Return what to tell.

    `known` is what the look before has left, `mailed_at` when the last mail was written, and `reported` the runs whose
    reports were mailed: what a report has told is not told again. `recovered` are the keys of jobs whose newest report
    says that they work again; `undecided` are those of which nobody can say now that they are over.
    """
    concerns, before = list(concerns), [_until(each, now) for each in known]
    held = {each.key for each in before if each.key in undecided or _is_hidden(each, concerns)}
    held -= {key_of(each) for each in concerns if each.severity != "info"}
    entries = _joined(concerns, before, now, reported, recovered, held)
    due = [change for each in entries if each.key not in held and (change := _due(each, settings, now)) is not None]
    may_wait = is_quiet(settings.quiet, now, zone) or (
        mailed_at is not None and timedelta(0) <= now - mailed_at < settings.gather
    )
    urgent = [each for each in due if each.is_urgent]
    if may_wait and (not urgent or is_quiet(settings.quiet, now, zone)):
        due = urgent
    due.sort(key=lambda each: (each.is_over, GRAVEST_FIRST.index(each.known.severity), each.what == "reminder"))
    telling = {each.known.key: each for each in due}
    return Decision(
        changes=tuple(due),
        told=tuple(_told(each, now) if each.key in telling else each for each in entries),
        untold=tuple(entries),
        unchanged=tuple(each for each in entries if each.gone_at is None and each.key not in telling),
    )


def is_quiet(hours: str | None, now: datetime, zone: tzinfo) -> bool:
    """Return whether `now` lies in quiet hours such as 22:00-07:00, by the host's clock."""
    if hours is None:
        return False
    first, last = (time.fromisoformat(each) for each in hours.split("-"))
    local = now.astimezone(zone).time()
    return first <= local < last if first < last else local >= first or local < last


def _joined(
    concerns: list[Concern],
    known: list[Known],
    now: datetime,
    reported: Collection[str],
    recovered: Collection[str],
    held: Collection[str],
) -> list[Known]:
    """Return what is known after this look: what is there, and what was there before it."""
    groups: dict[str, list[Concern]] = {}
    for each in concerns:
        if each.severity != "info":
            groups.setdefault(key_of(each), []).append(each)
    before = {each.key: each for each in known}
    there = [_seen(key, group, before.get(key), now, reported) for key, group in groups.items()]
    absent = (_absent(entry, now, recovered, held) for entry in known if entry.key not in groups)
    return [*there, *(entry for entry in absent if entry is not None)]


def _is_hidden(known: Known, concerns: Iterable[Concern]) -> bool:
    """Return whether what is seen now cannot tell that this is over."""
    return any(
        each.kind in BLINDING
        or (each.kind in UNSEEN and each.object == known.object)
        or known.kind.startswith(UNSEEN_KINDS.get(each.kind, ()))
        or (known.kind in STANDS_FOR.get(each.kind, ()) and each.object == known.object)
        for each in concerns
    )


def _absent(known: Known, now: datetime, recovered: Collection[str], held: Collection[str]) -> Known | None:
    """Return what is known of a thing that was there before, or None to forget it."""
    if known.closed:
        return known if any(now - each < FLAPPING_DAY for each in known.seen) else None
    if known.gone_at is not None or known.key in held:
        return known
    return msgspec.structs.replace(known, gone_at=now, closed=known.key in recovered)


def key_of(concern: Concern) -> str:
    """Return what tells a concern from others, over time."""
    return f"{'job' if concern.kind in _JOB else concern.kind} {concern.object}"


def _seen(key: str, group: list[Concern], before: Known | None, now: datetime, reported: Collection[str]) -> Known:
    if before is not None and before.closed:  # it comes anew; only how often it came is remembered
        before = msgspec.structs.replace(
            before, since=now, told_at=None, told_kind=None, told_severity=None, told_count=0, closed=False
        )
    first = group[0]  # the gravest
    began = min((each.since for each in group if each.since is not None), default=now)
    came = (*(before.seen if before else ()), *((now,) if before is None or before.gone_at is not None else ()))
    seen = tuple(each for each in came if now - each < FLAPPING_DAY)
    now_known = Known(
        key=key,
        kind=first.kind,
        object=first.object,
        severity="critical" if first.severity == "critical" else "warning",
        sentence="; ".join(dict.fromkeys(each.sentence for each in group)),
        remedy=first.remedy,
        since=min(began, before.since if before else now, now),
        count=len(group),
        seen=seen[-FLAPPING_TIMES:],
    )
    if before is not None:
        now_known = msgspec.structs.replace(
            now_known,
            joined=before.joined and _is_flapping(now_known),
            told_at=before.told_at,
            told_kind=before.told_kind,
            told_severity=before.told_severity,
            told_count=before.told_count,
        )
    by_reports = all(each.run in reported for each in group)
    return _told(now_known, now) if by_reports and _is_new_or_worse(now_known) else now_known


def _due(known: Known, settings: Watch, now: datetime) -> Change | None:
    if known.closed:
        return None
    if known.gone_at is not None:
        settled = FLAPPING_SETTLED if _is_flapping(known) else SETTLED
        if now - known.gone_at < settled:
            return None
        return Change("passed" if known.told_at is None else "gone", known, known.gone_at - known.since)
    if known.told_at is None:
        return Change("flapping" if _is_flapping(known) else "new", known)
    if _is_new_or_worse(known):
        return Change("changed", known)
    if _is_flapping(known):
        return None if known.joined else Change("flapping", known)
    remind = settings.remind_critical if known.severity == "critical" else settings.remind_warning
    return Change("reminder", known) if now - known.told_at >= remind else None


def _is_new_or_worse(known: Known) -> bool:
    if known.told_severity is None:
        return True
    graver = GRAVEST_FIRST.index(known.severity) < GRAVEST_FIRST.index(known.told_severity)
    return graver or known.count > known.told_count or known.kind != known.told_kind


def _is_flapping(known: Known) -> bool:
    return len(known.seen) >= FLAPPING_TIMES


def _told(known: Known, now: datetime) -> Known:
    return msgspec.structs.replace(
        known,
        told_at=now,
        told_kind=known.kind,
        told_severity=known.severity,
        told_count=known.count,
        joined=_is_flapping(known),
        closed=known.gone_at is not None,
    )


def _until(known: Known, now: datetime) -> Known:
    """Return what was known without times that lie in the future: the clock was ahead when they were written."""
    return msgspec.structs.replace(
        known,
        since=min(known.since, now),
        seen=tuple(each for each in known.seen if each <= now),
        told_at=None if known.told_at is None else min(known.told_at, now),
        gone_at=None if known.gone_at is None else min(known.gone_at, now),
    )
