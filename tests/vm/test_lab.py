"""The lab's own machine: what it is, what a power cut leaves, and that its programs say what is recorded of them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.vm.lab import recordings, states
from tests.vm.lab.disks import NVME, POOL0, POOL1, SCSI, SPARE, VIRTIO

if TYPE_CHECKING:
    from tests.vm.lab.pool import Pool
    from tests.vm.lab.recipe import Release
    from tests.vm.lab.states import State
    from tests.vm.lab.virtual import VirtualMachine

# What docs/lab.md promises of each release: kernel, ZFS, whether zfs and zpool speak JSON, borg, Python, smartctl.
TABLE = {
    "bookworm": ("6.1.", "2.1.", False, "1.2.", "3.11.", "7.3"),
    "bookworm-backports": ("6.1.", "2.3.", True, "1.2.", "3.11.", "7.3"),
    "trixie": ("6.12.", "2.3.", True, "1.4.", "3.13.", "7.4"),
}


@pytest.fixture(scope="module")
def server_state() -> State | None:
    return states.POOL


@pytest.mark.smoke
@pytest.mark.needs("system")
def test_the_machine_boots_whole_and_holds_the_versions_of_the_table(server: VirtualMachine, release: Release) -> None:
    kernel, zfs, speaks_json, borg, python, smartctl = TABLE[release.name]

    assert server.run("systemctl is-system-running", check=False).text == "running", server.run("systemctl --failed")
    assert server.run("uname -r").text.startswith(kernel)
    assert server.run("zfs version").text.startswith(f"zfs-{zfs}")
    assert server.run("cat /sys/module/zfs/version").text.startswith(zfs)
    assert (server.run("zpool status -j", check=False).code == 0) is speaks_json
    assert server.run("borg --version").text.startswith(f"borg {borg}")
    assert server.run("python3 --version").text.startswith(f"Python {python}")
    assert server.run("smartctl --version").text.startswith(f"smartctl {smartctl}")


@pytest.mark.needs("system")
def test_the_guest_has_no_way_out_and_no_trace_of_the_building_host(server: VirtualMachine) -> None:
    assert server.run("ip route show default").text == ""
    assert server.run("cat /etc/apt/sources.list /etc/apt/sources.list.d/*", check=False).text == ""
    assert server.run("apt-config dump | grep -iE 'proxy|cainfo'", check=False).text == ""


@pytest.mark.smoke
def test_the_pool_is_encrypted_and_has_the_properties_of_the_described_system(pool: Pool) -> None:
    assert pool.health() == "ONLINE"
    for dataset in (pool.backup, pool.borg):
        assert pool.property("encryption", dataset) == "aes-256-gcm"
        assert pool.property("encryptionroot", dataset) == pool.secure
        assert pool.property("compression", dataset) == "zstd"
        assert pool.property("atime", dataset) == "off"
        assert pool.property("recordsize", dataset) == str(1 << 20)
        assert pool.property("mounted", dataset) == "yes"
        assert pool.guest.run("stat", "-c", "%a %U:%G", pool.path(dataset)).text == "700 root:root"


@pytest.mark.needs("disks")
def test_every_disk_is_found_by_its_lasting_name(server: VirtualMachine) -> None:
    for disk in (POOL0, POOL1, SPARE, SCSI, NVME, VIRTIO):
        device = server.run("readlink", "-e", disk.by_id).text
        assert server.run("lsblk", "-dnb", "-o", "SIZE", device).text == str(2 << 30), disk


@pytest.mark.smoke
@pytest.mark.needs("power")
def test_a_power_cut_keeps_what_was_flushed_and_the_clock_goes_on(server: VirtualMachine, pool: Pool) -> None:
    on_root, on_pool = "/root/kept", f"{pool.path(pool.backup)}/kept"
    boot = server.run("cat /proc/sys/kernel/random/boot_id").text
    for kept in (on_root, on_pool):
        server.run(f"echo flushed > {kept} && sync {kept}")
    server.set_clock(server.now() + timedelta(days=2))
    before = server.now()

    server.power_cut()
    server.start()
    server.wait_ready()

    assert server.run("cat /proc/sys/kernel/random/boot_id").text != boot
    assert server.now() >= before
    assert server.read(on_root) == "flushed\n"
    assert pool.health() == "ONLINE"
    assert pool.property("keystatus", pool.secure) == "unavailable"
    pool.unlock()
    assert server.read(on_pool) == "flushed\n"


@pytest.mark.needs("disks")
def test_smartctl_says_what_is_recorded(server: VirtualMachine, release: Release) -> None:
    recorder = recordings.Recorder(server)
    recordings.smart(server, recorder)
    _compare(recorder, release)


@pytest.mark.needs("disks")
def test_zfs_says_what_is_recorded(server: VirtualMachine, pool: Pool, release: Release) -> None:
    """The last test of this module: it tells a pool's way from health to ruin."""
    recorder = recordings.Recorder(server)
    recordings.zfs(server, pool, recorder)
    _compare(recorder, release)


def _compare(recorder: recordings.Recorder, release: Release) -> None:
    written = {name: recordings.load(release.name, name).shape for name in recorder.found}
    assert {name: recording.shape for name, recording in recorder.found.items()} == written, (
        "the fixtures are out of date: python -m tests.vm.lab record"
    )
