"""Concerns about replications: how far a replica is behind, what it lacks, and what its live server lets pass."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bkp.concerns.model import Concern
from bkp.jobs import SYNC
from bkp.pulls import recorded_pull, replaced_since
from bkp.quantities import format_duration
from bkp.state.archives import is_whole
from bkp.status import Status
from bkp.words import some

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from bkp.concerns.model import ConcernSeverity
    from bkp.config.model import Config
    from bkp.config.replications import Replication
    from bkp.past import Synced
    from bkp.survey import Survey

CUT_OFF_LIMIT = timedelta(days=2)  # two pulls that did not go on with it
_NOTHING_KNOWN = frozenset({Status.NEVER, Status.UNKNOWN})


def concerns(config: Config, survey: Survey, name: str) -> Iterator[Concern]:
    """Yield those about one replication."""
    settings, synced = config.replications[name], recorded_pull(config, survey, name)
    if synced is not None and (why := replaced_since(survey, synced)) is not None:
        yield _about(name, "replica_unknown", "critical", f"{why}; nothing is known of what is there", _pull(name))
    elif synced is not None:
        yield from _lag(name, settings, synced, survey.now)
        yield from _cut_off(name, synced, survey.now)
        yield from _gate(name, settings, synced, survey.now)
    elif not _is_told(survey, name):
        yield _about(name, "replica_unknown", "warning", "no pull has recorded how far it is behind", _pull(name))
    yield from _archived(config, survey, name)


def _lag(name: str, settings: Replication, synced: Synced, now: datetime) -> Iterator[Concern]:
    result = synced.result
    if lacking := result.lacking:
        why = f"{len(lacking)} dataset{'s' if len(lacking) > 1 else ''} of the live server never received"
        yield _about(name, "replica_lacking", "warning", f"{why}: {some(list(lacking))}", _pull(name), synced.ended_at)
    common = [each.snapshot_at for each in result.datasets or () if each.snapshot_at is not None]
    oldest = min(common, default=None)
    if oldest is None or oldest > now:
        if not lacking or oldest is not None:
            why = "its newest common snapshot is dated in the future" if oldest else "the snapshots were never compared"
            yield _about(name, "replica_unknown", "warning", why, _pull(name), synced.ended_at)
        return
    lag = now - oldest
    if lag > settings.lag_warning:
        severity: ConcernSeverity = "critical" if lag > settings.lag_critical else "warning"
        why = f"the newest snapshot that both servers have of all its datasets is {format_duration(lag)} old"
        yield _about(name, "replica_behind", severity, why, _pull(name), oldest)


def _cut_off(name: str, synced: Synced, now: datetime) -> Iterator[Concern]:
    result = synced.result
    old = [each for each in result.partial if not timedelta(0) <= now - each.since <= CUT_OFF_LIMIT]
    if result.cure == "never" and result.partial:
        why = f"what was received in part cannot be resumed: {some([each.dataset for each in result.partial])}"
        remedy = f"`bkp-run sync --target {name} --discard-partial` gives it up and pulls that stream anew"
        yield _about(name, "replica_cut_off", "warning", why, remedy, synced.ended_at)
    elif old:
        why = f"what was received in part is not resumed: {some([each.dataset for each in old])}"
        yield _about(name, "replica_cut_off", "warning", why, _pull(name), min(each.since for each in old))


def _gate(name: str, settings: Replication, synced: Synced, now: datetime) -> Iterator[Concern]:
    result, remedy = synced.result, "run on the live server what `bkp-run ssh-gate` prints"
    if result.gate == "ran":
        why = "the live server runs commands that it must refuse: whoever has this server's key can do more than pull"
        yield _about(name, "replica_gate_open", "critical", why, remedy, result.gate_tested_at)
    elif settings.gate_test_every:
        tested = result.gate_tested_at if result.gate is not None else None
        if tested is None or not timedelta(0) <= now - tested <= 3 * settings.gate_test_every:
            why = "nobody has tried for too long whether the live server refuses what it must refuse"
            yield _about(
                name, "replica_gate_open", "warning", why, f"`bkp-run sync --target {name} --test-gate`", tested
            )


def _archived(config: Config, survey: Survey, name: str) -> Iterator[Concern]:
    """Yield one for each repository whose newest night archived the replica as it was long before."""
    limit = config.replications[name].lag_warning
    for standing in survey.standings:
        archive = standing.success.archive if standing.success is not None else None
        if archive is None or not is_whole(archive):
            continue
        ages = [
            archive.started_at - root.snapshot_at
            for root in archive.roots
            if root.snapshot_at is not None and config.replication_of(root.dataset or "") == name
        ]
        if ages and max(ages) > limit:
            why = f"the newest archive in {standing.target} holds it as it was {format_duration(max(ages))} before"
            yield _about(name, "replica_archived_old", "warning", why, _pull(name), archive.started_at)


def _is_told(survey: Survey, name: str) -> bool:
    """Return whether the job itself says that nothing is known: it never ran, or its record cannot be read."""
    return any(
        each.status.status in _NOTHING_KNOWN | {Status.FAILED, Status.LATE, Status.RUNNING}
        for each in survey.standings
        if (each.job, each.target) == (SYNC.name, name)
    )


def _pull(name: str) -> str:
    return f"`bkp-run sync --target {name}` pulls now, and says what is in its way"


def _about(
    name: str, kind: str, severity: ConcernSeverity, why: str, remedy: str, since: datetime | None = None
) -> Concern:
    thing = f"replication {name}"
    return Concern(kind, severity, thing, f"{thing}: {why}", remedy, since)
