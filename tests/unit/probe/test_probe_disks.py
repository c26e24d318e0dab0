"""What a look at a disk comes to: awake, asleep, not due, pulled, hung, and found without being configured."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from bkp.disk_health.second import SecondReading
from runner.probe import commands
from tests.support.probe_world import ONE, TWO, ProbeWorld, a_config, recorded

HOUR, FIVE = timedelta(hours=1), timedelta(minutes=5)
SMART = commands.smart(f"/dev/disk/by-id/{ONE}", None)
ASLEEP = json.dumps(
    {
        "smartctl": {
            "exit_status": 2,
            "messages": [{"string": "Device is in STANDBY mode, exit(2)", "severity": "information"}],
        },
        "device": {"name": "/dev/sda", "type": "sat", "protocol": "ATA"},
    }
)


@pytest.fixture
def world(tmp_path: Path) -> ProbeWorld:
    return ProbeWorld(tmp_path)


def smart_calls(world: ProbeWorld) -> list[str]:
    return [each for each in world.asked if each.startswith("smartctl --json -a")]


def test_smartctl_is_asked_once_an_hour_and_the_disk_is_looked_for_each_time(world: ProbeWorld) -> None:
    first = world.look().disks["one"]
    assert len(smart_calls(world)) == 2
    later = world.look(after=FIVE).disks["one"]
    assert smart_calls(world) == []
    assert later.looked_at == first.looked_at + FIVE
    assert later.value == first.value
    world.look(after=FIVE, all_disks=True)
    assert len(smart_calls(world)) == 2
    world.look(after=HOUR)
    assert len(smart_calls(world)) == 2


def test_a_clock_that_was_set_back_does_not_keep_a_disk_from_being_asked(world: ProbeWorld) -> None:
    world.look()
    world.look(after=-HOUR)
    assert len(smart_calls(world)) == 2


def test_a_sleeping_disk_stays_asleep_and_keeps_its_last_values_with_their_time(world: ProbeWorld) -> None:
    awake = world.look().disks["one"].value
    world.say(SMART, ASLEEP, exit_code=2)
    part = world.look(after=HOUR).disks["one"]
    assert part.error is None
    assert awake is not None
    assert part.value is not None
    assert (part.value.asleep, part.value.health, part.value.health_at) == (True, awake.health, awake.health_at)
    assert not [each for each in world.asked if "pysmart_reader" in each and "/dev/sda" in each]


def test_a_disk_that_was_never_awake_has_no_health_and_is_not_healthy(world: ProbeWorld) -> None:
    world.say(SMART, ASLEEP, exit_code=2)
    value = world.look().disks["one"].value
    assert value is not None
    assert (value.asleep, value.health, value.health_at) == (True, None, None)


def test_bit_1_without_the_message_of_sleep_is_an_open_that_failed(world: ProbeWorld) -> None:
    world.look()
    world.say(SMART, recorded("smartctl/trixie/no-such-device"), exit_code=2)
    part = world.look(after=HOUR).disks["one"]
    assert part.error is not None
    assert part.value is not None
    assert part.value.asleep is False
    assert part.seen_at == part.looked_at - HOUR


def test_a_disk_that_was_pulled_is_missing_at_the_next_look_though_smartctl_is_not_due(world: ProbeWorld) -> None:
    world.look()
    world.pull("sda", ONE)
    seen = world.look(after=FIVE)
    assert (seen.disks["one"].missing, seen.disks["two"].missing) == (True, False)
    assert seen.disks["one"].error == f"/dev/disk/by-id/{ONE} is not there"
    assert seen.disks["one"].value is not None


@pytest.mark.parametrize("kernel", ["ONLINE", "SUSPENDED"])
def test_a_pulled_disk_of_a_pool_that_hangs_is_not_reported_as_one_that_nobody_configured(
    world: ProbeWorld, kernel: str
) -> None:
    world.look()
    world.pull("sda", ONE)
    world.say(commands.SCAN, json.dumps({"smartctl": {"argv": ["smartctl", "--scan"]}, "devices": []}))
    world.hang(commands.status_json("tank"))
    world.kernel_says("tank", kernel)
    assert set(world.look(after=FIVE).disks) == {"one", "two"}


def test_a_bridge_that_hangs_takes_no_other_disk_down_and_is_tried_again(world: ProbeWorld) -> None:
    world.hang(SMART)
    seen = world.look()
    assert (seen.disks["one"].error, seen.disks["two"].error) == ("smartctl gave no answer within 20 s", None)
    assert seen.disks["one"].missing is False
    world.look(after=FIVE)
    assert smart_calls(world) == [" ".join(SMART)]


@pytest.mark.parametrize("printed", ["", "{", "{}", "nonsense\n", recorded("smartctl/trixie/scan-open")])
def test_what_is_no_reading_of_a_disk_is_said_to_be_none(world: ProbeWorld, printed: str) -> None:
    world.say(SMART, printed)
    part = world.look().disks["one"]
    assert part.value is None
    assert part.error is not None
    assert part.error.startswith("what smartctl printed cannot be read: ")


def test_the_second_reading_stands_beside_the_first_and_disagreements_are_recorded(world: ProbeWorld) -> None:
    argv = commands.second("/dev/sda", "sat")
    world.say(argv, '{"assessment": "FAIL", "serial": "LABHDD0"}')
    value = world.look().disks["one"].value
    assert value is not None
    assert value.health is not None
    assert value.health.passed is True
    assert value.second == SecondReading(assessment="FAIL", serial="LABHDD0")
    assert "assessment" in [each.what for each in value.disagreements]


@pytest.mark.parametrize("printed", ["", "Traceback", "[1]", "\udcff"])
def test_a_second_reading_that_is_none_leaves_the_first(world: ProbeWorld, printed: str) -> None:
    argv = commands.second("/dev/sda", "sat")
    world.say(argv, printed.encode("utf-8", "replace").decode())
    value = world.look().disks["one"].value
    assert value is not None
    assert value.second is not None
    assert value.second.error is not None
    assert value.disagreements == ()


def test_a_disk_of_the_scan_and_one_of_a_pool_that_nobody_configured_are_reported_once(world: ProbeWorld) -> None:
    world.config = a_config(f"pools: {{tank: {{disks: [one]}}}}\ndisks: {{one: {{path: /dev/disk/by-id/{ONE}}}}}\n")
    seen = world.look()
    assert list(seen.disks) == ["one", "/dev/sdb"]
    assert seen.disks["/dev/sdb"].value is not None
    assert seen.disks["/dev/sdb"].value.configured is False
    assert TWO not in " ".join(smart_calls(world))


def test_an_nvme_disk_is_the_same_by_its_controller_and_by_its_namespace(world: ProbeWorld, tmp_path: Path) -> None:
    (tmp_path / "dev/nvme0n1").touch()
    (tmp_path / "dev/disk/by-id/nvme-X").symlink_to("../../nvme0n1")
    world.config = a_config("disks: {fast: {path: /dev/disk/by-id/nvme-X}}\n")
    device = {"name": "/dev/nvme0", "type": "nvme", "protocol": "NVMe"}
    world.say(commands.SCAN, json.dumps({"smartctl": {"argv": ["smartctl", "--scan"]}, "devices": [device]}))
    assert set(world.look().disks) == {"fast", "/dev/sda", "/dev/sdb"}


def test_disks_behind_a_controller_are_told_apart_by_their_interface(world: ProbeWorld) -> None:
    world.config = a_config(f"disks: {{one: {{path: /dev/disk/by-id/{ONE}, interface: 'megaraid,4'}}}}\n")
    devices = [{"name": "/dev/bus/0", "type": f"megaraid,{number}", "protocol": "SCSI"} for number in (4, 5)]
    world.say(commands.SCAN, json.dumps({"smartctl": {"argv": ["smartctl", "--scan"]}, "devices": devices}))
    seen = world.look()
    assert "/dev/bus/0 -d megaraid,5" in seen.disks
    assert "/dev/bus/0 -d megaraid,4" not in seen.disks


def test_while_the_scan_cannot_be_had_what_an_earlier_one_found_stays(world: ProbeWorld) -> None:
    world.config = a_config("disks: {}\npools: {tank: {}}\n")
    first = world.look()
    world.hang(commands.SCAN)
    seen = world.look(after=FIVE)
    assert set(seen.disks) == set(first.disks) == {"/dev/sda", "/dev/sdb"}
    assert seen.disks["/dev/sda"].error == "smartctl gave no answer within 20 s"
    assert "disks that nobody configured: smartctl gave no answer within 20 s" in seen.unseen
