"""Disks and the host: every bad state has its concern, and a disk may sleep."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from bkp.disk_health.model import CriticalWarning, ExitBit, Health, SelfTestKind, SelfTestResult
from bkp.disk_health.second import Disagreement
from bkp.observations import HOST_PART, Kernels, Schedulers
from bkp.state.observed import Part, not_seen
from tests.support.observed import a_disk, a_disk_seen, a_failing_disk, a_host, a_test
from tests.unit.core.observed_support import NOW, Server

if TYPE_CHECKING:
    from pathlib import Path

PLACE = "disk left (pool tank, source home, repository main): "
FAILED = a_test(SelfTestResult.FAILED, SelfTestKind.LONG, 6)
PASSED = a_test(SelfTestResult.PASSED, SelfTestKind.SHORT, 2)
ABORTED = a_test(SelfTestResult.ABORTED, SelfTestKind.LONG, 1)


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


@pytest.mark.parametrize(
    ("changes", "kind", "severity", "words"),
    [
        ({"health": Health.FAILED, "failing_now": ("Spin_Up",)}, "disk_failing", "critical", "attribute Spin_Up is"),
        (
            {"health": Health.FAILED, "critical_warnings": (CriticalWarning.SPARE,)},
            *("disk_failing", "critical", "critical warning spare"),
        ),
        ({"health": Health.UNKNOWN, "messages": ("no answer",)}, "disk_unknown", "warning", "is not told: no answer"),
        ({"failed_before": ("Spin_Up",)}, "disk_failing", "warning", "below its threshold once (Spin_Up)"),
        ({"exit_bits": (ExitBit.PAST_ATTRIBUTES,)}, "disk_failing", "warning", "below its threshold once"),
        ({"values": {"reallocated_sectors": 3}}, "disk_sectors", "warning", "it has 3 reallocated sectors"),
        ({"values": {"pending_sectors": 1}}, "disk_sectors", "warning", "1 pending sectors"),
        ({"values": {"offline_uncorrectable_sectors": 1}}, "disk_sectors", "warning", "1 uncorrectable sectors"),
        (
            {"self_tests": (ABORTED, a_test(SelfTestResult.INTERRUPTED, SelfTestKind.LONG, 2), ABORTED, PASSED)},
            *(
                "disk_selftest_aborted",
                "warning",
                "its last 3 self-tests were aborted or interrupted",
            ),
        ),
        ({"values": {"media_errors": 5}}, "disk_sectors", "warning", "5 media errors"),
        ({"values": {"temperature_celsius": 50}}, "disk_hot", "warning", "it has 50 °C; the limit is 50 °C"),
        ({"values": {"temperature_celsius": 60}}, "disk_hot", "critical", "it has 60 °C; the limit is 60 °C"),
        ({"values": {"wear_ratio": 0.8}}, "disk_worn", "warning", "80% of the promised writes are used up"),
        (
            {"values": {"spare_ratio": 0.05, "spare_threshold_ratio": 0.1}},
            *("disk_worn", "warning", "only 5% of its spare blocks are left"),
        ),
        (
            {"self_tests": (ABORTED, PASSED, FAILED)},
            "disk_selftest_failed",
            "critical",
            "long (Completed: read failure",
        ),
        (
            {"self_tests": None, "exit_bits": (ExitBit.SELF_TEST_LOG,)},
            *("disk_selftest_failed", "critical", "smartctl found a failed self-test in its log"),
        ),
        (
            {"self_tests": (PASSED,), "exit_bits": (ExitBit.SELF_TEST_LOG,)},
            *("disk_selftest_failed", "critical", "smartctl found a failed self-test in its log"),
        ),
        ({"failing_now": ("Start_Stop_Count",)}, "disk_failing", "warning", "attribute Start_Stop_Count is below"),
        ({"values": {"spare_ratio": 0.05}}, "disk_worn", "warning", "only 5% of its spare blocks are left"),
    ],
)
def test_every_bad_state_of_a_disk_is_said_with_its_place_in_the_backup(
    server: Server, changes: dict[str, Any], kind: str, severity: str, words: str
) -> None:
    server.observer.disk(a_disk(**changes))
    concern = server.only()
    assert (concern.kind, concern.severity, concern.object) == (kind, severity, "disk left")
    assert concern.sentence.startswith(PLACE)
    assert words in concern.sentence
    assert concern.remedy


def test_a_disk_that_is_not_there_is_missing_and_so_is_one_that_the_observation_lacks(server: Server) -> None:
    server.observer.disk(real_path=None, health=None)
    assert server.kinds()["disk_missing"] == "critical"
    del server.observer.disks["left"]
    assert server.kinds()["disk_missing"] == "critical"


def test_a_disk_that_was_looked_for_and_not_found_is_missing_rather_than_unknown(server: Server) -> None:
    before = server.observer.disks["left"]
    server.observer.disks["left"] = not_seen("no such disk", "readlink", server.observer.now, before, missing=True)
    found = server.kinds()
    assert found["disk_missing"] == "critical"
    assert "disk_unknown" not in found


def test_a_disk_that_cannot_be_seen_is_said_though_it_was_well_before(server: Server) -> None:
    server.observer.disks["left"] = not_seen("smartctl did not answer", "smartctl", NOW, server.observer.disks["left"])
    concern = server.only()
    assert (concern.kind, concern.since) == ("disk_unknown", NOW)
    assert "smartctl did not answer" in concern.sentence


def test_a_sleeping_disk_is_in_order_however_old_its_values_and_its_heat(server: Server) -> None:
    old = NOW - timedelta(days=20)
    server.observer.disk(a_disk(values={"temperature_celsius": 70}), asleep=True, health_at=old)
    assert server.seen() == []


def test_a_disk_that_slept_at_every_look_is_not_known(server: Server) -> None:
    seen = msgspec.structs.replace(a_disk_seen(NOW), asleep=True, health=None, health_at=None)
    server.observer.disks["left"] = server.observer.part(seen)
    assert server.kinds() == {"disk_unknown": "warning"}


def test_a_test_that_passed_after_one_of_its_kind_failed_is_the_last_word(server: Server) -> None:
    passed = a_test(SelfTestResult.PASSED, SelfTestKind.LONG, 1)
    server.observer.disk(a_disk(self_tests=(passed, FAILED)))
    assert server.seen() == []


def test_two_readings_that_differ_are_said(server: Server) -> None:
    pair = (Disagreement(what="serial", smartctl="A", pysmart="B"), Disagreement(what="x", smartctl="1", pysmart="2"))
    server.observer.disk(disagreements=pair)
    concern = server.only()
    assert concern.kind == "disk_disagrees"
    assert concern.sentence.endswith("serial: smartctl says A, pySMART B, and 1 more")


def test_a_disk_that_nobody_configured_is_good_to_know_and_a_warning_if_it_fails(server: Server) -> None:
    server.observer.disks["/dev/sdc"] = server.observer.part(a_disk_seen(NOW, device="sdc", configured=False))
    assert server.kinds() == {"disk_unconfigured": "info"}
    failing = a_disk_seen(NOW, a_failing_disk(), "sdc", configured=False)
    server.observer.disks["/dev/sdc"] = server.observer.part(failing)
    assert server.kinds() == {"disk_unconfigured": "warning"}


@pytest.mark.parametrize(
    ("changes", "kind", "severity"),
    [
        ({"undervoltage": True}, "host_undervoltage", "warning"),
        ({"usb_resets": 4}, "host_usb_resets", "warning"),
        ({"kernels": Kernels(running="1", newest="2", newest_has_zfs=False)}, "host_no_zfs_module", "warning"),
        ({"kernels": Kernels(running="1")}, "host_no_zfs_module", "info"),
        ({"schedulers": Schedulers(self_tests=("a",))}, "host_schedules", "warning"),
        ({"schedulers": Schedulers(scrubs=("a",))}, "host_schedules", "warning"),
        ({"schedulers": Schedulers(scrubs=("a", "b"), self_tests=("a",))}, "host_schedules", "warning"),
    ],
)
def test_every_bad_state_of_the_host_is_said(server: Server, changes: dict[str, Any], kind: str, severity: str) -> None:
    server.observer.host[HOST_PART] = server.observer.part(a_host(**changes))
    assert server.kinds() == {kind: severity}


def test_each_pool_wants_one_schedule_and_another_pools_timer_is_none(server: Server) -> None:
    timers = ("timers.target.wants/zfs-scrub-weekly@tank.timer", "timers.target.wants/zfs-scrub-weekly@other.timer")
    server.observer.host[HOST_PART] = server.observer.part(
        a_host(schedulers=Schedulers(scrubs=timers, self_tests=("a",)))
    )
    assert server.seen() == []
    server.observer.host[HOST_PART] = server.observer.part(
        a_host(schedulers=Schedulers(scrubs=timers[1:], self_tests=("/etc/smartd.conf: /dev/sda -s L",)))
    )
    assert sorted(each.sentence for each in server.seen()) == [
        "nothing starts scrubs", "nothing starts self-tests of disk right",
    ]  # fmt: skip


def test_what_a_host_does_not_tell_of_is_no_concern(server: Server) -> None:
    untold = a_host(undervoltage=None, usb_resets=None, kernels=None, schedulers=None)
    server.observer.host[HOST_PART] = server.observer.part(untold)
    assert server.seen() == []


def test_an_observation_of_nothing_is_that_of_no_host(server: Server) -> None:
    server.observer.host[HOST_PART] = Part(source="the host", looked_at=NOW)
    assert server.kinds() == {"host_unknown": "warning"}
    server.observer.host.clear()
    assert server.kinds() == {"probe_stale": "warning"}


def test_a_host_that_cannot_be_seen_is_said(server: Server) -> None:
    server.observer.host[HOST_PART] = not_seen("not permitted", "the host", NOW, server.observer.host[HOST_PART])
    assert server.kinds() == {"host_unknown": "warning"}


@pytest.mark.parametrize(
    ("tests", "power_on", "words"),
    [
        ((864,), 12_000, None),
        ((865,), 12_000, "no self-test of it passed for 36d 1h with power: that was the last that passed"),
        ((), 12_000, "no self-test of it passed for 500d with power: its log has none that passed"),
        ((), 400, None),  # it is new
        ((), None, None),
    ],
)
def test_a_disk_in_which_no_self_test_passed_for_long_is_said_whoever_starts_them(
    server: Server, tests: tuple[int, ...], power_on: int | None, words: str | None
) -> None:
    seconds = None if power_on is None else power_on * 3600
    log = tuple(a_test(SelfTestResult.PASSED, age_hours=age) for age in tests)
    server.observer.disk(a_disk(self_tests=log, values={"power_on_seconds": seconds}))
    found = [each for each in server.seen() if each.kind == "disk_selftest_old"]
    assert [each.sentence for each in found] == ([] if words is None else [PLACE + words])


def test_two_aborted_tests_are_no_concern_yet(server: Server) -> None:
    server.observer.disk(a_disk(self_tests=(ABORTED, ABORTED, PASSED, ABORTED)))
    assert server.seen() == []
