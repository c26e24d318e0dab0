"""Scrubs and self-tests by their units on real pools and emulated disks, over what ends a process and not the work.

Time is moved, not slept. A scrub is held where it is by ZFS's own switch, `zfs_scan_suspend_progress`, which a restart
of the machine forgets. The tests build on each other: what one breaks it mends.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.vm.lab.disks import NVME, POOL0, POOL1, SCSI, SPARE
from tests.vm.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.vm.lab.pool import Pool
    from tests.vm.lab.virtual import VirtualMachine

pytestmark = pytest.mark.needs("disks")

DISKS = {"left": POOL0, "right": POOL1, "solid": SPARE, "nvme": NVME}
_SECTIONS = (
    "pools:\n  tank: {disks: [left, right], scrub_pause: 15m}\n  single: {}\n"
    "jobs: {scrub: {schedule: 'Wed 06:00'}}\ndisks:\n"
    + "\n".join(f"  {name}: {{path: {disk.by_id}, temperature_warning: 55}}" for name, disk in DISKS.items())
)
_HELD = "/sys/module/zfs/parameters/zfs_scan_suspend_progress"
_LOOK_OF_DISKS = timedelta(minutes=61)


@pytest.fixture(scope="module")
def site(server: VirtualMachine, pool: Pool) -> Site:
    found = replace(Site.on(server, pool), more=_SECTIONS)
    found.set_up()
    found.configure(mail="problems")
    found.serve_mail()
    server.run(f"zpool create -f -O mountpoint=/single single {SCSI.by_id} && echo one > /single/file")
    found.bkp_run("units", "install")
    return found


@pytest.fixture
def held(server: VirtualMachine) -> Iterator[None]:
    server.run(f"echo 1 > {_HELD}")
    yield
    server.run(f"echo 0 > {_HELD}")


def _unit(site: Site, name: str) -> None:
    """Start a unit and wait for its end, which is a good one whatever became of its runs: those have mailed."""
    site.guest.run(f"systemctl start {name}.service", check=False)


def _latest(site: Site, job: str, target: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(site.guest.read(f"{site.state}/jobs/{job}/{target}/latest.json"))
    return record


def _follow(site: Site, job: str, target: str) -> dict[str, Any]:
    """Have the unit follow what goes on until the run of that job has ended; return its record."""

    def over() -> bool:
        _unit(site, "bkp-follow")
        return bool(_latest(site, job, target)["outcome"] != "running")

    site.guest.wait_for(f"{job} of {target} to end", over)
    return _latest(site, job, target)


def _concerns(site: Site, kind: str) -> dict[str, str]:
    site.guest.set_clock(site.guest.now() + _LOOK_OF_DISKS)
    site.guest.run("systemctl start bkp-probe.service")
    told = json.loads(site.bkp_run("status", "--json", check=False).stdout)["concerns"]
    return {each["object"]: each["sentence"] for each in told if each["kind"].startswith(kind)}


def test_both_pools_are_scrubbed_by_their_unit_and_followed_to_their_end(site: Site) -> None:
    _unit(site, "bkp-scrub")
    assert site.guest.run("systemctl show -P Result bkp-scrub.service").text == "success"

    for name in ("tank", "single"):
        run = _follow(site, "scrub", name)
        assert (run["outcome"], run["result"]["finished"], run["result"]["errors"]) == ("success", True, 0), run
        assert run["result"]["examined_bytes"]
        assert run["subject"] == site.guest.run(f"zpool get -Hp -o value guid {name}").text


def test_corruption_is_found_counted_repaired_and_mailed_with_the_disk_it_was_on(
    site: Site, server: VirtualMachine, pool: Pool
) -> None:
    noise = f"{pool.path(pool.backup)}/noise"
    server.run(f"head -c 4M /dev/urandom > {noise}")
    server.corrupt(POOL1, pool.blocks(pool.backup, "noise"))

    _unit(site, "bkp-scrub")
    run = _follow(site, "scrub", "tank")

    assert run["outcome"] == "warning", run
    assert run["reason"] == "scrub: 4.0 MiB were repaired (disk right counted errors)"
    assert run["result"]["repaired_bytes"] == 4 << 20
    assert "disk right counted errors" in site.wait_for_mail("[bkp] warning: scrub of tank")
    server.run(f"rm {noise} && zpool clear {pool.name}")


def test_a_scrub_of_somebody_else_is_adopted_stands_aside_for_the_nightly_and_may_be_canceled(
    site: Site, server: VirtualMachine, held: None
) -> None:
    server.run("zpool scrub tank")
    _unit(site, "bkp-scrub")
    run = _latest(site, "scrub", "tank")
    assert (run["outcome"], run["result"]["adopted"]) == ("running", True), run

    night = server.now().replace(hour=2, minute=20, second=0)
    server.set_clock(night if night > server.now() else night + timedelta(days=1))
    _unit(site, "bkp-follow")
    assert "scrub paused since" in site.pool.status()
    assert _latest(site, "scrub", "tank")["result"]["paused_by_us"] is True
    server.set_clock(server.now() + timedelta(minutes=11))
    _unit(site, "bkp-follow")
    assert "scrub paused since" in site.pool.status()  # the nightly is due, and has not run
    site.job("nightly")
    _unit(site, "bkp-follow")
    assert "scrub in progress since" in site.pool.status()
    assert _latest(site, "scrub", "tank")["run_id"] == run["run_id"]

    server.run("zpool scrub -p tank")  # somebody, who forgets it
    assert "pool tank" not in _concerns(site, "scrub_stuck")
    server.set_clock(server.now() + timedelta(hours=25))
    assert "paused" in _concerns(site, "scrub_stuck")["pool tank"]
    server.run("zpool scrub tank && zpool scrub -s tank")
    canceled = _follow(site, "scrub", "tank")
    assert (canceled["outcome"], canceled["result"]["finished"]) == ("failure", False), canceled
    assert "was canceled" in canceled["reason"]


def test_a_scrub_goes_on_over_a_restart_of_the_machine(site: Site, server: VirtualMachine, pool: Pool) -> None:
    server.run(f"echo 1 > {_HELD}")
    _unit(site, "bkp-scrub")
    begun = _latest(site, "scrub", "tank")
    assert (begun["outcome"], begun["result"]["adopted"]) == ("running", False), begun

    server.reboot()
    pool.unlock()
    site.serve_mail()

    ended = _follow(site, "scrub", "tank")
    assert (ended["run_id"], ended["outcome"]) == (begun["run_id"], "success"), ended
    assert ended["result"]["finished"] is True


def test_a_scrub_is_deferred_while_a_disk_is_away_and_begins_when_it_is_back(
    site: Site, server: VirtualMachine, pool: Pool
) -> None:
    server.run(f"zpool offline tank {POOL1.by_id}")
    _unit(site, "bkp-scrub")
    deferred = _latest(site, "scrub", "tank")
    assert (deferred["outcome"], deferred["reason"]) == ("deferred", "the pool is DEGRADED"), deferred
    runs = len(site.history())
    _unit(site, "bkp-follow")
    assert len(site.history()) <= runs + 1  # the other pool's end; nothing more of what has not changed

    server.run(f"zpool online tank {POOL1.by_id}")
    server.wait_for("the resilver to end", lambda: pool.health() == "ONLINE" and "resilvered" in pool.status())
    _unit(site, "bkp-follow")
    assert _latest(site, "scrub", "tank")["run_id"] != deferred["run_id"]
    assert _follow(site, "scrub", "tank")["result"]["finished"] is True


def test_the_disks_test_themselves_one_of_a_pool_after_the_other(site: Site) -> None:
    """QEMU's SATA disks end a test the moment it begins; its NVMe disk has none."""
    _unit(site, "bkp-selftest-short")
    records = {name: _follow(site, "selftest-short", name) for name in DISKS}
    for name in ("left", "right", "solid"):
        assert records[name]["outcome"] == "success", records[name]
        assert records[name]["result"]["ended_as"] == "passed"
        assert records[name]["subject"] == DISKS[name].serial
    assert (records["nvme"]["outcome"], records["nvme"]["result"]["ended_as"]) == ("success", "unsupported")
    assert _concerns(site, "disk_selftest") == {}
