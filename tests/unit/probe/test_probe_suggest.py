"""What `config suggest` prints is a configuration, whatever the host's pools and disks are called."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkp.config import Config, parse_config
from bkp.disk_health.model import ScannedDevice
from runner.probe import commands
from runner.probe.inventory import suggest
from runner.probe.suggest import FoundPool, best_name, suggestion
from tests.support.probe_world import BASE, ONE, TWO, ProbeWorld


def read(text: str) -> Config:
    return parse_config(BASE + text)


@pytest.fixture
def world(tmp_path: Path) -> ProbeWorld:
    world = ProbeWorld(tmp_path)
    devices = [{"name": f"/dev/{each}", "type": "sat", "protocol": "ATA"} for each in ("sda", "sdb")]
    world.say(commands.SCAN_OPEN, json.dumps({"smartctl": {"argv": ["smartctl", "--scan-open"]}, "devices": devices}))
    return world


def suggested(world: ProbeWorld) -> str:
    return suggest(world.host, world.ask, lambda: world.now)


def test_a_hosts_pool_and_its_disks_are_suggested_by_their_lasting_names(world: ProbeWorld) -> None:
    config = read(suggested(world))
    assert {name: disk.path for name, disk in config.disks.items()} == {
        ONE: f"/dev/disk/by-id/{ONE}",
        TWO: f"/dev/disk/by-id/{TWO}",
    }
    assert config.pools["tank"].disks == (ONE, TWO)


def test_the_name_that_a_person_can_read_on_the_disk_is_preferred(world: ProbeWorld) -> None:
    (world.root / "dev/disk/by-id/ata-MAKER_MODEL-8T_SER14L").symlink_to("../../sda")
    config = read(suggested(world))
    assert config.disks["ser14l"].path == "/dev/disk/by-id/ata-MAKER_MODEL-8T_SER14L"
    assert "ser14l" in config.pools["tank"].disks


def test_what_is_not_sure_is_a_comment_that_says_why(world: ProbeWorld) -> None:
    devices = [
        {"name": "/dev/sda", "type": "sat", "protocol": "ATA", "open_error": "Permission denied"},
        {"name": "/dev/bus/0", "type": "megaraid,4", "protocol": "SCSI"},
    ]
    world.say(commands.SCAN_OPEN, json.dumps({"smartctl": {"argv": ["smartctl", "--scan-open"]}, "devices": devices}))
    text = suggested(world)
    assert read(text).disks == {}
    assert read(text).pools["tank"].disks == ()
    assert "# not sure: smartctl could not open it: Permission denied" in text
    assert "# not sure: no name below /dev/disk/by-id leads to it, and /dev/bus/0 may change" in text
    assert "# not sure: smartctl does not find it: its health cannot be read" in text


def test_an_interface_that_smartctl_does_not_find_by_itself_is_written_down() -> None:
    scanned = [ScannedDevice(name="/dev/sdc", interface="sntjmicron")]
    config = read(suggestion((), scanned, {"/dev/sdc": ["usb-JMicron_X_012345-0:0"]}, ()))
    assert config.disks["012345-0-0"].interface == "sntjmicron"


def test_programs_that_are_missing_are_named_and_what_is_left_is_still_a_configuration(tmp_path: Path) -> None:
    world = ProbeWorld(tmp_path)
    (tmp_path / "proc").rename(tmp_path / "elsewhere")
    world.answers.clear()
    text = suggested(world)
    assert "# not found: pools: zpool is not installed\n" in text
    assert "# not found: disks: smartctl is not installed\n" in text
    assert (read(text).pools, read(text).disks) == ({}, {})


def test_a_disk_with_partitions_of_two_pools_is_given_to_the_first_and_named_at_the_second() -> None:
    pools = [FoundPool("one", ("/dev/sda",)), FoundPool("two", ("/dev/sda",))]
    text = suggestion(pools, [ScannedDevice(name="/dev/sda", interface="sat")], {"/dev/sda": ["ata-X_1"]}, ())
    config = read(text)
    assert (config.pools["one"].disks, config.pools["two"].disks) == (("1",), ())
    assert "# its disk 1 stands at pool one" in text


@pytest.mark.parametrize(
    ("names", "best"),
    [
        (["wwn-0x5", "ata-A_B", "ata-A_B-part1"], "ata-A_B"),
        (["nvme-eui.0025", "nvme-Maker_X_S1", "nvme-nvme.1234-5"], "nvme-Maker_X_S1"),
        (["nvme-eui.0025"], "nvme-eui.0025"),
        (["scsi-35000", "wwn-0x5"], "wwn-0x5"),
        (["ata-A_B-part1"], None),
        (["dm name"], None),
        ([], None),
    ],
)
def test_the_best_of_a_disks_names(names: list[str], best: str | None) -> None:
    assert best_name(names) == best


odd = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)


@given(
    pools=st.lists(
        st.builds(FoundPool, odd, st.lists(odd, max_size=3).map(tuple), st.lists(odd, max_size=2).map(tuple)),
        unique_by=lambda pool: pool.name,  # as imported pools are
    ),
    scanned=st.lists(st.builds(ScannedDevice, name=odd, interface=odd, open_error=st.none() | odd), max_size=4),
    links=st.dictionaries(odd, st.lists(odd, max_size=3), max_size=4),
    problems=st.lists(odd, max_size=2),
)
def test_whatever_things_are_called_it_is_a_valid_configuration(
    pools: list[FoundPool], scanned: list[ScannedDevice], links: dict[str, list[str]], problems: list[str]
) -> None:
    read(suggestion(pools, scanned, links, problems))


@given(st.lists(st.from_regex(r"[A-Za-z][A-Za-z0-9_.:-]{0,80}", fullmatch=True), unique=True, max_size=4))
def test_pools_keep_their_own_names_as_zfs_name_where_the_configuration_wants_another(names: list[str]) -> None:
    config = read(suggestion([FoundPool(name) for name in names], (), {}, ()))
    assert {config.zpool(name) for name in config.pools} == set(names)
