"""Facts of disk.*: each disk that is configured, and each that the probe found."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from auditor.facts.observed.host import SOURCE as HOST
from auditor.facts.observed.sight import doubt, source
from bkp.agreement import self_test_contradiction
from bkp.disk_health.model import Health, SelfTestKind, SelfTestResult
from bkp.disk_health.selftests import has_hidden_failure, newest_of_each_kind, no_self_tests
from bkp.jobs import SELFTEST_LONG, SELFTEST_SHORT
from bkp.other_schedules import self_test_schedulers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from auditor.facts.builder import FactBuilder, FactGroup
    from auditor.facts.observed.host import SchedulersSeen
    from bkp.disk_health.model import DiskHealth, SelfTest
    from bkp.inventory import DiskEntry, Inventory
    from bkp.observations import DiskSeen
    from bkp.past import JobTarget
    from bkp.state.observed import Observed
    from bkp.state.reading import Reading
    from bkp.state.records import Run

SOURCE = source("disks")
_TESTS = ("failed_self_tests", "short_test_days", "long_test_days")
_COUNTS = ("reallocated_sectors", "pending_sectors", "media_errors")
_READ = (
    "asleep",
    "health",
    "disagreements",
    *_TESTS,
    "self_test_contradictions",
    "temperature",
    "wear",
    "spare",
    "spare_limit",
    *_COUNTS,
)
_JUDGED = frozenset({SelfTestResult.PASSED, SelfTestResult.FAILED})
_DAY = timedelta(days=1)


def collect_disks(
    builder: FactBuilder,
    reading: Reading[Observed[DiskSeen]],
    inventory: Inventory,
    schedulers: SchedulersSeen,
    successes: Mapping[JobTarget, Run | None],
) -> None:
    """Add disk.*, and which of the configured ones can test themselves, as far as is known."""
    testable = tuple(disk.name for disk in inventory.disks if disk.settings is not None and _untestable(disk) is None)
    builder.of("probe").add(f"the configuration, {SOURCE}", {"testable_disks": testable})
    for entry in inventory.disks:
        facts, settings = builder.of("disk", entry.name), entry.settings
        values = {
            "name": entry.name,
            "configured": settings is not None,
            "temperature_limit": settings.temperature_warning if settings is not None else None,
            "wear_limit": float(settings.wear_warning) if settings is not None else None,
            "self_tests_possible": _untestable(entry) is None,
        }
        facts.add("the configuration", values)
        facts.add(f"the configuration, {source('pools')}", {"pools": entry.pools})
        found = schedulers.schedulers
        who = {"self_test_schedulers": self_test_schedulers(found.self_tests, entry.paths) if found else None}
        facts.add_known(HOST, who, schedulers.problem, at=schedulers.at)
        problem = doubt(entry.part, "disks", reading, builder.now)
        _observed(facts, entry, problem, builder.now)
        if problem is None and not entry.missing and settings is not None:
            _agreement(facts, entry, successes)


def _untestable(entry: DiskEntry) -> str | None:
    """Return why nothing can be known of self-tests of the disk; None where they are possible, or that is not known."""
    return no_self_tests(entry.seen.health) if entry.seen is not None and entry.seen.health is not None else None


def _agreement(facts: FactGroup, entry: DiskEntry, successes: Mapping[JobTarget, Run | None]) -> None:
    seen = entry.seen
    if seen is None or seen.health is None:
        return
    found = [
        why
        for job in (SELFTEST_SHORT, SELFTEST_LONG)
        if (why := self_test_contradiction(successes.get((job.name, entry.name)), seen.health, seen.health_at))
    ]
    facts.add(f"{SOURCE}, jobs/selftest", {"self_test_contradictions": tuple(found)}, at=seen.health_at)


def _observed(facts: FactGroup, entry: DiskEntry, problem: str | None, now: datetime) -> None:
    part, seen = entry.part, entry.seen
    if problem is not None:
        facts.fail(SOURCE, problem)
    elif entry.missing or part is None or seen is None:
        facts.add(SOURCE, {"present": False, **dict.fromkeys((*_READ, "uncorrectable_sectors"))})
    else:
        facts.add(SOURCE, {"present": True}, at=part.seen_at)
        if entry.settings is None:
            facts.fail(SOURCE, "nobody configured it, so it is not read")
            return
        facts.add(SOURCE, {"asleep": seen.asleep}, at=part.seen_at)
        if seen.health is None:
            facts.fail(SOURCE, "it slept at every look" if seen.asleep else "smartctl told nothing of it")
            return
        # of a disk that sleeps this is what it said when it was awake: so old the facts are
        at = seen.health_at or part.seen_at
        _health(facts, seen, seen.health, at)
        _values(facts, seen, seen.health, at)
        _self_tests(facts, seen.health, now, at)


def _health(facts: FactGroup, seen: DiskSeen, health: DiskHealth, at: datetime | None) -> None:
    ended = f"it ended with {health.exit_status}" if health.exit_status else ""
    said = f": {why}" if (why := next(iter(health.messages), ended)) else ""
    word = None if health.health is Health.UNKNOWN else str(health.health)
    facts.add_known(SOURCE, {"health": word}, f"smartctl does not tell{said}", at=at)
    differing = tuple(f"{each.what}: {each.smartctl}, pySMART {each.pysmart}" for each in seen.disagreements)
    facts.add(SOURCE, {"disagreements": differing}, at=at)


def _values(facts: FactGroup, seen: DiskSeen, health: DiskHealth, at: datetime | None) -> None:
    """Add what the disk measures; a kind of disk does not tell all of it, and what it does not tell is absent."""
    values = health.values
    told = {
        "temperature": None if seen.asleep else values.temperature_celsius,
        "wear": values.wear_ratio,
        "spare": values.spare_ratio,
        "spare_limit": values.spare_threshold_ratio,
        "uncorrectable_sectors": values.offline_uncorrectable_sectors,
        **{field: getattr(values, field) for field in _COUNTS},
    }
    facts.add(SOURCE, told, at=at)


def _self_tests(facts: FactGroup, health: DiskHealth, now: datetime, at: datetime | None) -> None:
    """Add what became of self-tests. One that was aborted, interrupted or still runs says nothing of the disk."""
    tests = health.self_tests
    hidden = (str(SelfTestKind.UNKNOWN),) if has_hidden_failure(health) else ()
    if tests is None:
        if hidden:
            facts.add(SOURCE, {"failed_self_tests": hidden}, at=at)
        facts.fail(SOURCE, "smartctl shows no self-test log of it")
        return
    judged = [test for test in tests if test.result in _JUDGED]
    newest = newest_of_each_kind(judged)
    failed = tuple(str(kind) for kind, test in newest.items() if test.result is SelfTestResult.FAILED)
    facts.add(SOURCE, {"failed_self_tests": (*failed, *hidden)}, at=at)
    since = now - at if at is not None else timedelta()
    for field, kinds in (
        ("short_test_days", {SelfTestKind.SHORT, SelfTestKind.LONG}),  # a long one covers what a short one does
        ("long_test_days", {SelfTestKind.LONG}),
    ):
        test = next((test for test in judged if test.kind in kinds), None)
        if test is None or test.result is SelfTestResult.FAILED:
            facts.add(SOURCE, {field: None}, at=at)
        else:
            facts.add_known(SOURCE, {field: _days(test, since)}, "smartctl does not tell how long ago it ended", at=at)


def _days(test: SelfTest, since: timedelta) -> float | None:
    """Return the days with power since a test, counting the time `since` the log was read as with power."""
    return None if test.age_hours is None else test.age_hours / 24 + since / _DAY
