"""From a vdev to the disk it lies on."""

from pathlib import Path

import pytest

from bkp.zfs_health.model import PoolHealth, Vdev
from runner.probe.devices import Host
from runner.probe.join import devices_of
from tests.support.probe_world import ONE, ProbeWorld


@pytest.fixture
def host(tmp_path: Path) -> Host:
    world = ProbeWorld(tmp_path)
    for name, below in (("dm-0", ("sda1",)), ("dm-1", ("dm-0",)), ("dm-2", ("sda1", "sdb1"))):
        (tmp_path / "dev" / name).touch()
        for each in below:
            (tmp_path / "sys/class/block" / name / "slaves" / each).mkdir(parents=True)
    (tmp_path / "dev/mapper").mkdir()
    (tmp_path / "dev/mapper/luks-one").symlink_to("../dm-1")
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp/file").touch()
    return world.host


@pytest.mark.parametrize(
    ("path", "device"),
    [
        (f"/dev/disk/by-id/{ONE}-part1", "/dev/sda"),
        (f"/dev/disk/by-id/{ONE}", "/dev/sda"),
        ("/dev/sda1", "/dev/sda"),
        ("/dev/mapper/luks-one", "/dev/sda"),
        ("/dev/dm-2", None),
        ("/dev/disk/by-id/gone", None),
        ("/tmp/file", None),
    ],
)
def test_a_path_leads_to_the_whole_disk_or_to_none(host: Host, path: str, device: str | None) -> None:
    assert host.whole_device(path) == device


def joined(host: Host, *leaves: Vdev) -> dict[str, str]:
    top = Vdev(name="tank", state="ONLINE", children=(Vdev(name="mirror-0", state="ONLINE", children=leaves),))
    return devices_of(PoolHealth(name="tank", vdevs=(top,)), host.whole_device)


def test_the_guid_names_a_leaf_and_without_one_its_name_does(host: Host) -> None:
    by_guid = Vdev(name=ONE, state="ONLINE", guid="123", path=f"/dev/disk/by-id/{ONE}-part1")
    by_name = Vdev(name="sdb", state="ONLINE")
    assert joined(host, by_guid, by_name) == {"123": "/dev/sda", "sdb": "/dev/sdb"}


def test_the_former_path_of_a_device_that_is_gone_leads_nowhere(host: Host) -> None:
    assert joined(host, Vdev(name="123", state="UNAVAIL", guid="123", was="/dev/sda1")) == {}


@pytest.mark.parametrize("state", ["UNAVAIL", "REMOVED"])
def test_of_a_device_that_is_gone_only_a_lasting_name_counts(host: Host, state: str) -> None:
    assert joined(host, Vdev(name="sda", state=state, path="/dev/sda1")) == {}
    assert joined(host, Vdev(name="x", state=state, path=f"/dev/disk/by-id/{ONE}-part1")) == {"x": "/dev/sda"}
