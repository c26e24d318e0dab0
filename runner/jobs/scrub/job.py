"""scrub: begin one or adopt the one that runs, and follow it until the pool says that it has ended.

The scrub is the pool's. Whatever becomes of this process, of its unit or of the host, the record stays under way, and
whoever comes next (`bkp-run follow`, or another `bkp-run scrub`) goes on with it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from bkp.clock import local_zone
from bkp.errors import DeferredError, GoesOnError, StepFailedError
from bkp.jobs import NIGHTLY, SCRUB
from bkp.liveness import is_alive
from bkp.quantities import format_size
from bkp.state.fields import Outcome
from bkp.state.results import ScrubResult
from bkp.state.store import value_of
from bkp.tools.borg.events import Progress
from bkp.tools.zfs.client import Zfs, ZfsError
from bkp.tools.zfs.commands import Programs, pause_scrub, pool_status, scrub
from runner.hardware import disk_names, members, see_pool, tested_disks
from runner.jobs.deadlines import too_late
from runner.jobs.model import READ_EVERYTHING, DryRun, Rights, RunnerJob
from runner.jobs.scrub.judgement import Standing, hindrance, standing
from runner.jobs.scrub.pauses import stands_aside
from runner.lifecycle.context import NO_WAIT, RunContext
from runner.probe.sight import Unseen

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from bkp.config.model import Config
    from bkp.config.storage import Pool
    from bkp.observations import PoolSeen

ZPOOL_PROGRAM = Programs().zpool
POLL_SECONDS = 10.0
STARTING_SECONDS = 30.0  # so long may a pool take to tell of a scrub that it has accepted


@dataclass(frozen=True, kw_only=True)
class PoolSession(RunContext):
    """The context of a run, and the run's pool."""

    settings: Pool
    pool: str
    zfs: Zfs

    @property
    def result(self) -> ScrubResult:
        """Return what is recorded of the scrub so far."""
        found = self.recorder.run.result
        return found if isinstance(found, ScrubResult) else ScrubResult()


def _open(context: RunContext) -> PoolSession:
    config, target = context.config, context.target
    zfs = Zfs(context.log.detail, keep_open=context.keep_open, programs=Programs(zpool=ZPOOL_PROGRAM))
    return PoolSession(**vars(context), settings=config.pools[target], pool=config.zpool(target), zfs=zfs)


def _work(session: PoolSession) -> None:
    """Begin the scrub unless this run's has begun already, and follow it."""
    if session.result.started_at is None:
        with session.recorder.step("start"):
            _begin(session)
    while (now := _look(session)).end is None:
        _stand_aside(session, now.result)
        if NO_WAIT in session.options.flags:
            session.recorder.keep()
            done = "" if now.result.progress is None else f", {now.result.progress:.0%} done"
            raise GoesOnError(f"the scrub of {session.pool} goes on{done}")
        time.sleep(POLL_SECONDS)
    with session.recorder.step("scrub") as notes:
        notes.counters = {
            name: value
            for name in ("errors", "repaired_bytes", "examined_bytes", "seconds")
            if (value := getattr(now.result, name)) is not None
        }
        if (speed := now.result.bytes_per_second) is not None:
            notes.counters["bytes_per_second"] = int(speed)
        if (warning := _verdict(session, now)) is not None:
            session.tell("warning", [warning])
            notes.warn(warning)


def _begin(session: PoolSession) -> None:
    """Start a scrub, go on with one that is paused, or adopt one that runs."""
    seen = see_pool(session.pool)
    if (why := _why_not(session.config, session.target, seen)) is not None:
        raise too_late(session, why) or DeferredError(why)
    assert not isinstance(seen, Unseen)  # noqa: S101  # else there was a hindrance
    state = seen.health.scrub.state
    adopted = state in {"in progress", "paused"}
    # Before the command: should this process die right after it, whoever comes next looks at the pool.
    begun = ScrubResult(adopted=adopted, previous_end=None if adopted else seen.health.scrub.end)
    session.recorder.update(outlives_process=True, subject=seen.health.guid, result=begun)
    session.recorder.keep()
    if state != "in progress":
        try:
            session.zfs.call(scrub(session.pool), f"cannot scrub {session.pool}")
        except ZfsError:
            session.recorder.update(outlives_process=False)  # nothing was begun
            raise
    said = {"in progress": "adopts the scrub that runs in", "paused": "goes on with the paused scrub of"}
    session.log.info(f"{said.get(state, 'starts a scrub of')} {session.pool}")
    before = None if adopted else seen.health.scrub
    until = time.monotonic() + STARTING_SECONDS
    while time.monotonic() < until:
        told = see_pool(session.pool)
        if not isinstance(told, Unseen) and told.health.scrub != before:
            scan = told.health.scrub
            if (start := scan.start or scan.end) is not None:
                session.recorder.update(result=msgspec.structs.replace(begun, started_at=start))
                session.recorder.keep()
                return
        time.sleep(1)
    session.recorder.update(outlives_process=False)
    raise StepFailedError(
        f"zpool has accepted a scrub of {session.pool}, and the pool does not tell of it",
        remedy=f"see `zpool status {session.pool}`",
    )


def _why_not(config: Config, target: str, seen: PoolSeen | Unseen) -> str | None:
    """Return why no scrub can begin now; one that runs already is adopted whatever the pool's state."""
    if isinstance(seen, Unseen):
        return f"the pool cannot be seen: {seen.reason}"
    if seen.health.scrub.state == "in progress":
        return None
    return hindrance(seen.health, tested_disks(config, members(config, target, seen)))


def _look(session: PoolSession) -> Standing:
    """Ask the pool how the scrub stands, and record it. A pool that is not there just now has not ended it."""
    seen = see_pool(session.pool)
    if isinstance(seen, Unseen):
        session.log.detail(f"{session.pool} cannot be seen: {seen.reason}")
        return Standing(session.result)
    known, guid = session.recorder.run.subject, seen.health.guid
    if known is not None and guid is not None and known != guid:
        raise StepFailedError(
            f"another pool is called {session.pool} now: what became of the scrub is not known",
            remedy="import the pool that was scrubbed, or scrub this one",
        )
    found = standing(session.result, seen, disk_names(session.config), session.clock())
    session.recorder.update(result=found.result)
    session.recorder.keep()
    if found.result.progress is not None:
        done = round(found.result.progress * 10_000)
        session.options.progress.update(Progress("scrub", done, 10_000, session.pool, finished=found.end is not None))
    return found


def _stand_aside(session: PoolSession, result: ScrubResult) -> None:
    """Pause the scrub for the nightly, and go on after it, if that is configured. Who else pauses it decides."""
    if result.paused_at is not None and not result.paused_by_us:
        return
    wanted = session.settings.scrub_pause is not None and _nightly_needs(session, session.settings.scrub_pause)
    if wanted == (result.paused_at is not None):
        return
    if wanted:  # before the command: should this process die right after it, nobody else has paused it
        _record_pause(session, result, session.clock())
    try:
        argv = pause_scrub(session.pool) if wanted else scrub(session.pool)
        session.zfs.call(argv, f"cannot {'pause' if wanted else 'go on with'} the scrub of {session.pool}")
    except ZfsError as exc:  # it may have ended this moment: the next look says so
        session.log.warning(exc.message)
        return
    session.log.info(f"the scrub of {session.pool} {'stands aside for the nightly' if wanted else 'goes on'}")
    if not wanted:
        _record_pause(session, result, None)


def _record_pause(session: PoolSession, result: ScrubResult, at: datetime | None) -> None:
    changed = msgspec.structs.replace(result, paused_by_us=at is not None, paused_at=at)
    session.recorder.update(result=changed)
    session.recorder.keep()


def _nightly_needs(session: PoolSession, lead: timedelta) -> bool:
    """Return whether the disks are to be the nightly's now, or in less than `lead`."""
    latest = [value_of(session.store.read_job(NIGHTLY.name, name).latest) for name in session.config.repositories]
    runs = [run for run in latest if run is not None and run.outcome is Outcome.RUNNING]
    under_way = any(is_alive(run.process) is not False for run in runs)
    return stands_aside(session.config.job(NIGHTLY.name), lead, latest, under_way, session.clock(), local_zone())


def _verdict(session: PoolSession, now: Standing) -> str | None:
    """Return what to warn of in a scrub that finished; raise what the end of any other one comes to."""
    result, pool = now.result, session.pool
    if now.end == "displaced":
        raise DeferredError("a resilver took its place before it had ended")
    if now.end == "canceled":
        raise StepFailedError(
            f"the scrub of {pool} was canceled: not all of it was read", remedy="`bkp-run scrub` starts another"
        )
    if now.end == "lost":
        raise StepFailedError(
            f"{pool} does not know of the scrub that was begun: what became of it is not known",
            remedy="`bkp-run scrub` starts another",
        )
    where = f" ({', '.join(result.disks)} counted errors)" if result.disks else ""
    if result.errors:
        raise StepFailedError(
            f"{result.errors} errors could not be repaired{where}",
            remedy=f"`zpool status -v {pool}` names the files: restore them, look at the disk, and scrub again",
        )
    if result.errors is None or result.repaired_bytes is None:
        return "the pool does not tell all of what the scrub found"
    if result.repaired_bytes:
        return f"{format_size(result.repaired_bytes)} were repaired{where or ', and no disk counts errors'}"
    seen = see_pool(pool)
    if not isinstance(seen, Unseen) and seen.health.data_errors:
        return f"the scrub found nothing, and yet files are damaged: `zpool status -v {pool}` names them"
    return None


def _hindrance(config: Config, target: str) -> str | None:
    """Return why a scrub that was deferred cannot begin yet."""
    return _why_not(config, target, see_pool(config.zpool(target)))


def _dry_run(config: Config, target: str, _lock_wait: float) -> DryRun:
    pool = config.zpool(target)
    notes = (
        "a scrub that runs is adopted, not started again; one that is paused goes on",
        "deferred while the pool is not ONLINE, a spare is in use, it resilvers, or a self-test runs on its disks",
    )
    return DryRun(SCRUB.name, target, (pool_status(pool), scrub(pool)), notes=notes)


def _rights(config: Config, _home: str) -> Rights:
    """Return what the unit may do: command ZFS, and ask the pools' disks whether a self-test runs."""
    disks = [config.disks[name].path for pool in config.pools.values() for name in pool.disks]
    capabilities = ("CAP_SYS_ADMIN", "CAP_SYS_RAWIO") if disks else ("CAP_SYS_ADMIN",)
    return Rights(devices=("/dev/zfs", *disks), capabilities=(*READ_EVERYTHING, *capabilities))


JOB = RunnerJob(SCRUB, _open, _work, _dry_run, _rights, _hindrance)
