"""The lab's own machine: what it is, and that clock, power and disks can be moved, cut and pulled as tests need it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.vm.lab import states
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


@pytest.mark.needs("disks")
def test_an_nvme_warning_shows_in_smartctl_and_goes_away(server: VirtualMachine) -> None:
    def verdict() -> tuple[int, bool, int]:
        result = server.run("smartctl", "-a", "-j", "/dev/nvme0", check=False)
        report = json.loads(result.stdout)
        log = report["nvme_smart_health_information_log"]
        return result.code, report["smart_status"]["passed"], log["critical_warning"]

    assert verdict() == (0, True, 0)
    server.nvme_warn(NVME, 4)
    # Exit bit 3 is "disk failing" (smartctl(8), EXIT STATUS).
    assert verdict() == (8, False, 4)
    server.nvme_warn(NVME, 0)
    assert verdict() == (0, True, 0)


@pytest.mark.smoke
@pytest.mark.needs("disks")
def test_a_scrub_sees_and_repairs_a_corrupted_half_of_the_mirror(server: VirtualMachine, pool: Pool) -> None:
    noise = f"{pool.path(pool.backup)}/noise"
    server.run(f"head -c 8M /dev/urandom > {noise} && sha256sum {noise} > /root/noise.sum")
    assert "scrub repaired 0B" in pool.scrub()
    blocks = pool.blocks(pool.backup, "noise")
    assert sum(block.size for block in blocks) == 8 << 20

    server.corrupt(POOL1, blocks)

    assert "scrub repaired 8M" in pool.scrub()
    assert "errors: No known data errors" in pool.status()
    server.run("sha256sum --check --quiet /root/noise.sum")
    server.run(f"zpool clear {pool.name} && rm {noise}")


@pytest.mark.needs("clock")
def test_a_moved_clock_fires_a_calendar_timer(server: VirtualMachine) -> None:
    noon = (server.now() + timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0)
    due = noon + timedelta(hours=14, minutes=30)
    server.set_clock(noon)
    timer = "--unit=lab-nightly --on-calendar='02:30 UTC' --timer-property=AccuracySec=1s"
    server.run(f"systemd-run --quiet {timer} touch /run/lab-nightly-fired")
    assert server.run("test -e /run/lab-nightly-fired", check=False).code != 0

    server.set_clock(due - timedelta(seconds=5))

    server.wait_until("the timer to fire", "test -e /run/lab-nightly-fired")
    assert server.now() >= due


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
def test_a_pulled_disk_degrades_the_pool_and_a_spare_heals_it(server: VirtualMachine, pool: Pool) -> None:
    """The last test of this module: the machine lacks a disk afterwards."""
    server.unplug_from(pool, POOL1)
    assert pool.health() == "DEGRADED"

    # Partitioning makes udev report the new disk's partitions gone for a moment; a late zed takes the disk for removed.
    server.run("systemctl stop zfs-zed")
    server.run("zpool", "replace", "-f", pool.name, POOL1.by_id, SPARE.by_id)

    server.wait_for("the resilver to end", lambda: pool.health() == "ONLINE")
    assert "with 0 errors" in pool.status()
