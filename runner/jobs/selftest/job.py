"""selftest short, selftest long: have a disk test itself, and follow it until its own log says how that ended.

The test is the disk's. Whatever becomes of this process or of the host, the record stays under way, and whoever comes
next (`bkp-run follow`, or another `bkp-run selftest`) goes on with it.
"""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bkp.device_names import disk_key
from bkp.disk_health.selftests import no_self_tests
from bkp.errors import DeferredError, GoesOnError, LockHeldError, StepFailedError
from bkp.jobs import SELFTEST_LONG, SELFTEST_SHORT, Kind
from bkp.observations import DiskSeen
from bkp.state.records import LockHolder
from bkp.state.results import SelfTestRecord
from bkp.state.store import value_of
from bkp.tools.borg.events import Progress
from runner.hardware import disk_names, members, running_test, see_disk, see_pool, start_test, tested_disks
from runner.jobs.deadlines import too_late
from runner.jobs.model import READ_EVERYTHING, DryRun, Rights, RunnerJob
from runner.jobs.selftest.judgement import kind_in_log, log_marks, standing, why_aborted
from runner.lifecycle.context import NO_WAIT, RunContext
from runner.lifecycle.lock import target_lock
from runner.probe import commands
from runner.probe.sight import Unseen

if TYPE_CHECKING:
    from bkp.config.model import Config
    from bkp.config.storage import Disk
    from bkp.disk_health.model import DiskHealth
    from bkp.jobs import JobSpec

    TestKind = Literal["short", "long"]

POLL_SECONDS = 15.0
_REPLACE = "keep a copy of what is on it elsewhere, and replace the disk"
_LASTING = "find what resets it or has it sleep: cable, bridge, power, hd-idle, hdparm -S, the enclosure itself"


@dataclass(frozen=True, kw_only=True)
class DiskSession(RunContext):
    """The context of a run, and the run's disk."""

    settings: Disk
    kind: TestKind

    @property
    def record(self) -> SelfTestRecord:
        """Return what is recorded of the test so far."""
        found = self.recorder.run.result
        return found if isinstance(found, SelfTestRecord) else SelfTestRecord(kind=self.kind)


def _work(session: DiskSession) -> None:
    """Begin the test unless this run's has begun already, and follow it."""
    if session.record.begun_at is None:
        with session.recorder.step("start"):
            _begin(session)
    while (record := _look(session)).ended_as == "running":
        if NO_WAIT in session.options.flags:
            done = "" if record.progress is None else f", {record.progress:.0%} done"
            raise GoesOnError(f"the {session.kind} self-test of {session.target} goes on{done}")
        time.sleep(POLL_SECONDS)
    with session.recorder.step("selftest"):
        _verdict(session, record)


def _begin(session: DiskSession) -> None:
    """Start the test, as the only one on the disk's pools, and on none that is scrubbed."""
    with contextlib.ExitStack() as held:
        for pool in _pools(session.config, session.target):
            try:
                held.enter_context(_pool_lock(session, pool))
            except LockHeldError as exc:
                why = f"pool {pool}: {exc.message}"
                raise too_late(session, why) or DeferredError(why) from exc
        _begin_alone(session)


def _pool_lock(session: DiskSession, pool: str) -> contextlib.AbstractContextManager[int]:
    run = session.recorder.run
    holder = LockHolder(run_id=run.run_id, job=run.job, target=pool, started_at=run.started_at, process=run.process)
    return target_lock(Path(session.config.paths.lock), Kind.POOL, holder, wait=0, on_wait=session.log.info)


def _begin_alone(session: DiskSession) -> None:
    seen = see_disk(session.config, session.target, wake=session.settings.wake_for_tests)
    if (why := _why_not(session.config, session.target, seen)) is not None:
        raise too_late(session, why) or DeferredError(why)
    assert isinstance(seen, DiskSeen)  # noqa: S101  # else there was a hindrance
    health, device = seen.health, seen.real_path
    assert health is not None  # noqa: S101
    assert device is not None  # noqa: S101
    begun = SelfTestRecord(
        kind=session.kind,
        begun_at=session.clock(),
        minutes=health.short_test_minutes if session.kind == "short" else health.long_test_minutes,
        power_on_hours=_hours(health),
        log_before=log_marks(health.self_tests, kind_in_log(session.kind)),
    )
    if (why := no_self_tests(health)) is not None:
        _unsupported(session, why)
        return
    # Before the command: should this process die right after it, whoever comes next asks the disk.
    session.recorder.update(outlives_process=True, subject=health.identity.serial, result=begun)
    session.recorder.keep()
    interface = session.settings.interface or health.interface or "auto"
    started = start_test(disk_key(device), interface, session.kind)
    session.log.detail(f"pySMART on {disk_key(device)} ({interface}): {started.error or started.said}")
    if started.code == 0:
        session.log.info(f"{session.target} tests itself ({session.kind})")
        return
    session.recorder.update(outlives_process=False, result=SelfTestRecord(kind=session.kind))
    if started.code == 1:
        raise DeferredError("another self-test runs in it")
    if started.code == 2 and (health.self_tests is None or health.self_tests_supported is False):
        _unsupported(session, started.said)
        return
    raise StepFailedError(
        f"the {session.kind} self-test could not be started: {started.error or started.said}",
        remedy=f"`smartctl -t {session.kind} {session.settings.path}` says more",
    )


def _unsupported(session: DiskSession, why: str) -> None:
    """Record that the disk has no such test: nothing failed, and nothing was tested."""
    record = SelfTestRecord(kind=session.kind, ended_as="unsupported", said=why, begun_at=session.clock())
    session.recorder.update(outlives_process=False, result=record)
    session.log.info(f"{session.target} has no {session.kind} self-test: {why}")
    success = value_of(session.store.read_job(session.recorder.run.job, session.target).success)
    if success is not None and isinstance(success.result, SelfTestRecord) and success.result.passed:
        session.tell("warning", [f"it had {session.kind} self-tests once, and now it has none: {why}"])


def _hours(health: DiskHealth) -> int | None:
    seconds = health.values.power_on_seconds
    return None if seconds is None else seconds // 3600


def _pools(config: Config, disk: str) -> list[str]:
    """Return the configured pools that the disk belongs to."""
    return sorted(name for name, pool in config.pools.items() if disk in pool.disks)


def _why_not(config: Config, target: str, seen: DiskSeen | Unseen) -> str | None:
    """Return why no test can begin now."""
    if isinstance(seen, Unseen):
        return f"the disk cannot be seen: {seen.reason}"
    if seen.asleep:
        return "it sleeps, and is not to be woken for a test"
    if seen.health is None or seen.real_path is None:
        return "smartctl tells nothing of it"
    if running_test(seen) is not None:
        return "a self-test runs in it already"
    found = (_pool_in_the_way(config, target, name) for name in config.pools)
    return next((why for why in found if why is not None), None)


def _pool_in_the_way(config: Config, target: str, name: str) -> str | None:
    """Return what a pool, if the disk belongs to it, has against a test."""
    pool = see_pool(config.zpool(name))
    disks = members(config, name, pool)
    if target not in disks:
        return None
    if not isinstance(pool, Unseen):
        for what, scan in (("scrubbed", pool.health.scrub), ("resilvered", pool.health.resilver)):
            if scan.state in {"in progress", "paused"}:
                return f"pool {name} is being {what}"
    elif not pool.missing:  # that it is exported is no reason not to test its disks
        return f"pool {name} cannot be seen, and may be scrubbed: {pool.reason}"
    testing = tested_disks(config, tuple(disk for disk in disks if disk != target))
    return f"a self-test runs on {', '.join(testing)}, of the same pool" if testing else None


def _look(session: DiskSession) -> SelfTestRecord:
    """Ask the disk how its test stands, and record it. A disk that is not there just now has not ended it."""
    if session.record.ended_as != "running":
        return session.record
    seen = see_disk(session.config, session.target)
    health = None if isinstance(seen, Unseen) or seen.asleep else seen.health
    known = session.recorder.run.subject
    if health is not None and known is not None and health.identity.serial not in {None, known}:
        raise StepFailedError(
            f"another disk is {session.target} now: what became of the test of {known} is not known",
            remedy="`bkp-run selftest` tests the one that is there",
        )
    record = standing(session.record, health, session.clock())
    session.recorder.update(result=record)
    session.recorder.keep()
    if record.progress is not None:
        finished = record.ended_as != "running"
        session.options.progress.update(
            Progress("selftest", round(record.progress * 100), 100, session.target, finished=finished)
        )
    return record


def _verdict(session: DiskSession, record: SelfTestRecord) -> None:
    """Raise what any end but a good one comes to."""
    kind = record.kind
    if record.ended_as == "failed":
        place = f" at block {record.first_bad_lba}" if record.first_bad_lba is not None else ""
        raise StepFailedError(f"the {kind} self-test failed{place} ({record.said})", remedy=_REPLACE)
    if record.ended_as in {"aborted", "interrupted"}:
        raise StepFailedError(why_aborted(record), remedy=_LASTING)
    if record.ended_as == "unknown":
        raise StepFailedError(
            f"the disk does not tell how its {kind} self-test ended",
            remedy=f"`smartctl -l selftest {session.settings.path}` shows its log",
        )


def _rights(config: Config, _home: str) -> Rights:
    """Return what the unit may do: ask and command the disks, and ask ZFS. A disk's test is its controller's."""
    disks = [disk.path for disk in config.disks.values()]
    nvme = ["char-nvme"] if any("/nvme-" in path for path in disks) else []
    capabilities = (*READ_EVERYTHING, "CAP_SYS_ADMIN", "CAP_SYS_RAWIO")
    return Rights(devices=("/dev/zfs", *disks, *nvme), capabilities=capabilities)


def _job(spec: JobSpec, kind: TestKind) -> RunnerJob[DiskSession]:
    def opened(context: RunContext) -> DiskSession:
        return DiskSession(**vars(context), settings=context.config.disks[context.target], kind=kind)

    def dry_run(config: Config, target: str, _lock_wait: float) -> DryRun:
        disk = config.disks[target]
        device = disk_key({name: path for path, name in disk_names(config).items()}.get(target, disk.path))
        start = (sys.executable, *commands.start_test(device, disk.interface or "auto", kind)[1:])
        notes = (
            "deferred while it sleeps, while it or another disk of its pool tests itself, and while the pool scrubs",
        )
        asked = commands.smart(disk.path, disk.interface, wake=disk.wake_for_tests)
        return DryRun(spec.name, target, (asked, start), notes=notes)

    def hindrance(config: Config, target: str) -> str | None:
        return _why_not(config, target, see_disk(config, target, wake=config.disks[target].wake_for_tests))

    return RunnerJob(spec, opened, _work, dry_run, _rights, hindrance)


SHORT_JOB = _job(SELFTEST_SHORT, "short")
LONG_JOB = _job(SELFTEST_LONG, "long")
