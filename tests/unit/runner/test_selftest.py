"""How the self-test of a run stands by what the disk's log says: replayed logs, no disk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from bkp.disk_health.model import DiskHealth, ExitBit, Protocol, SelfTest, SelfTestKind, SelfTestResult, Values
from bkp.disk_health.selftests import aborted_in_a_row, no_self_tests
from bkp.state.results import SelfTestRecord
from runner.jobs.selftest.judgement import log_marks, standing, why_aborted

NOW = datetime(2026, 11, 30, 6, 0, tzinfo=UTC)
PASSED, FAILED, ABORTED, INTERRUPTED, RUNNING = (
    SelfTestResult.PASSED,
    SelfTestResult.FAILED,
    SelfTestResult.ABORTED,
    SelfTestResult.INTERRUPTED,
    SelfTestResult.IN_PROGRESS,
)


def entry(
    result: SelfTestResult, hours: int = 1000, kind: SelfTestKind = SelfTestKind.SHORT, lba: int | None = None
) -> SelfTest:
    return SelfTest(
        kind=kind,
        result=result,
        kind_said=f"{kind} offline",
        result_said=f"said {result}",
        at_power_on_hours=None if result is RUNNING else hours,
        first_bad_lba=lba,
        percent_done=40 if result is RUNNING else None,
    )


OLD = (entry(PASSED, 830), entry(PASSED, 662))
BEGUN = SelfTestRecord(
    kind="short", begun_at=NOW, minutes=2, power_on_hours=1000, log_before=log_marks(OLD, SelfTestKind.SHORT)
)


def seen(*log: SelfTest) -> DiskHealth:
    return DiskHealth(protocol=Protocol.ATA, self_tests=log)


@pytest.mark.parametrize(
    ("log", "ended_as"),
    [
        (OLD, "running"),  # the log is as it was
        ((entry(RUNNING), *OLD), "running"),
        ((entry(PASSED), *OLD), "passed"),
        ((entry(FAILED, lba=5_839_201_144), *OLD), "failed"),
        ((entry(ABORTED), *OLD), "aborted"),
        ((entry(INTERRUPTED), *OLD), "interrupted"),
        ((entry(SelfTestResult.UNKNOWN), *OLD), "unknown"),
        # somebody else's test of another kind is not this one's end
        ((entry(PASSED, kind=SelfTestKind.CONVEYANCE), entry(PASSED), *OLD), "passed"),
    ],
)
def test_the_disks_own_log_says_how_a_test_ended(log: tuple[SelfTest, ...], ended_as: str) -> None:
    found = standing(BEGUN, seen(*log), NOW + timedelta(minutes=3))
    assert found.ended_as == ended_as
    assert found.passed is (ended_as == "passed")
    assert found.first_bad_lba == (5_839_201_144 if ended_as == "failed" else None)


LONG = SelfTestKind.LONG


@pytest.mark.parametrize("end", [(), (entry(PASSED, 166, LONG),)])
def test_an_old_entry_is_no_end_of_a_test_because_another_kind_of_test_was_logged_meanwhile(
    end: tuple[SelfTest, ...],
) -> None:
    """The process died before the command, or the disk lost the test; then smartd's short test was logged."""
    before = (entry(PASSED, 830), entry(PASSED, 662, LONG), *end)
    begun = msgspec.structs.replace(BEGUN, kind="long", log_before=log_marks(before, LONG))
    after = (entry(PASSED, 1001), *before[: 3 - 1])  # a full log forgets its oldest
    later = NOW + timedelta(minutes=5)
    assert standing(begun, seen(*after), later).ended_as == "running"
    assert standing(begun, seen(*after), NOW + timedelta(days=5)).ended_as == "unknown"
    assert standing(begun, seen(entry(PASSED, 1004, LONG), *after), later).ended_as == "passed"
    assert standing(begun, seen(entry(PASSED, 662, LONG), *before), later).ended_as == "passed"  # one more like it


def test_how_far_a_test_is_is_told_while_it_runs() -> None:
    assert standing(BEGUN, seen(entry(RUNNING), *OLD), NOW).progress == pytest.approx(0.4)


@pytest.mark.parametrize("health", [None, DiskHealth(protocol=Protocol.ATA), seen(*OLD), seen(entry(RUNNING), *OLD)])
def test_a_test_without_an_end_is_never_a_good_one_and_is_given_up_in_the_end(health: DiskHealth | None) -> None:
    assert standing(BEGUN, health, NOW + timedelta(minutes=30)).ended_as == "running"
    assert standing(BEGUN, health, NOW + timedelta(hours=3)).ended_as == "unknown"


def test_a_disk_that_does_not_say_how_long_a_test_takes_has_days() -> None:
    untold = msgspec.structs.replace(BEGUN, minutes=None)
    assert standing(untold, seen(*OLD), NOW + timedelta(days=3)).ended_as == "running"
    assert standing(untold, seen(*OLD), NOW + timedelta(days=5)).ended_as == "unknown"


def test_a_full_log_of_equal_entries_counts_only_after_the_disk_was_seen_at_work() -> None:
    same = (entry(PASSED, 1000), entry(PASSED, 1000))
    begun = msgspec.structs.replace(BEGUN, log_before=log_marks(same, SelfTestKind.SHORT))
    assert standing(begun, seen(*same), NOW + timedelta(minutes=20)).ended_as == "running"
    at_work = standing(begun, seen(entry(RUNNING), *same), NOW + timedelta(minutes=1))
    assert standing(at_work, seen(*same), NOW + timedelta(minutes=20)).ended_as == "passed"
    old = tuple(entry(PASSED, 900) for _ in same)
    begun = msgspec.structs.replace(at_work, log_before=log_marks(old, SelfTestKind.SHORT))
    assert standing(begun, seen(*old), NOW + timedelta(minutes=20)).ended_as == "running"


def test_three_aborted_tests_in_a_row_name_what_probably_does_it() -> None:
    twice = standing(BEGUN, seen(entry(ABORTED), entry(INTERRUPTED), *OLD), NOW)
    assert "bridge" not in why_aborted(twice)
    thrice = standing(BEGUN, seen(entry(INTERRUPTED), entry(ABORTED), entry(ABORTED), *OLD), NOW)
    assert "the last 3: probably the USB bridge resets the disk" in why_aborted(thrice)
    assert "interrupted by a reset" in why_aborted(thrice)
    assert aborted_in_a_row((entry(RUNNING), entry(ABORTED), entry(PASSED), entry(ABORTED))) == 1


@pytest.mark.parametrize(
    ("health", "why"),
    [
        (DiskHealth(protocol=Protocol.ATA, self_tests_supported=False), "the disk says that it has no self-tests"),
        (DiskHealth(protocol=Protocol.ATA), None),
        (DiskHealth(protocol=Protocol.SCSI, smartctl_version="7.3"), None),
        (DiskHealth(protocol=Protocol.NVME, smartctl_version="7.3"), "smartctl 7.3 shows no self-tests of an NVMe"),
        (
            DiskHealth(
                protocol=Protocol.NVME, smartctl_version="7.4", exit_bits=(), values=Values(power_on_seconds=3600)
            ),
            "the disk has no self-test log",
        ),
        (DiskHealth(protocol=Protocol.NVME, smartctl_version="7.4"), None),  # it was not read
        (
            DiskHealth(
                protocol=Protocol.NVME,
                smartctl_version="7.4",
                exit_bits=(ExitBit.COMMAND_FAILED,),
                values=Values(power_on_seconds=3600),
            ),
            None,  # reading the log may be what failed
        ),
        (DiskHealth(protocol=Protocol.NVME, smartctl_version="7.3", self_tests=()), None),
        (DiskHealth(protocol=Protocol.NVME), None),
    ],
)
def test_only_a_disk_that_is_known_to_have_no_self_tests_needs_none(health: DiskHealth, why: str | None) -> None:
    found = no_self_tests(health)
    assert (found or "").startswith(why or "")
    assert (found is None) is (why is None)
