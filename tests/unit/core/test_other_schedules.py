"""Which schedules mean which pool and which disk."""

import pytest

from bkp.other_schedules import scrub_schedulers, self_test_schedulers

CRON = "/etc/cron.d/zfsutils-linux: 24 0 8-14 * * root [ $(date +\\%w) -eq 0 ] && /usr/lib/zfs-linux/scrub"
OWN = "/etc/cron.d/own: 0 3 * * 0 root zpool scrub"
WANTS = "/etc/systemd/system/timers.target.wants"
DISK = ("/dev/disk/by-id/ata-LEFT_01", "/dev/sda")


@pytest.mark.parametrize(
    ("schedule", "pools"),
    [
        (CRON, {"tank", "my-pool"}),
        (f"{OWN} tank", {"tank"}),
        (f"{OWN} -w tank my-pool >/dev/null 2>&1; logger done", {"tank", "my-pool"}),
        (f"{OWN} 'tank' && zpool scrub my-pool", {"tank", "my-pool"}),
        (f"{OWN} tank2", set()),
        (f"{OWN} $(zpool list -H -o name)", {"tank", "my-pool"}),
        (f"{WANTS}/zfs-scrub-weekly@tank.timer", {"tank"}),
        (f"{WANTS}/zfs-scrub-monthly@my\\x2dpool.timer", {"my-pool"}),
        (f"{WANTS}/zpool-scrub.timer", {"tank", "my-pool"}),
    ],
)
def test_a_schedule_scrubs_the_pools_it_names_or_all_of_them(schedule: str, pools: set[str]) -> None:
    assert {pool for pool in ("tank", "my-pool") if scrub_schedulers([schedule], pool)} == pools


@pytest.mark.parametrize(
    ("schedule", "tests"),
    [
        ("/etc/smartd.conf: DEVICESCAN -s (S/../.././02|L/../../6/03)", True),
        ("/etc/smartd.conf: /dev/disk/by-id/ata-LEFT_01 -s L/../../6/03", True),
        ("/etc/smartd.conf: /dev/sda -s L/../../6/03", True),
        ("/etc/smartd.conf: /dev/disk/by-id/ata-RIGHT_02 -s L/../../6/03", False),
        ("/etc/crontab: 0 4 * * 6 root smartctl -t long /dev/sda >/dev/null", True),
        ("/etc/crontab: 0 4 * * 6 root smartctl -t long /dev/sdb >/dev/null", False),
        ("/etc/crontab: 0 4 * * 6 root for d in /dev/sd{a,b}; do smartctl -t long $d; done", True),
        ("/etc/crontab: 0 4 * * 6 root for d in /dev/sd?; do smartctl -t long $d; done", True),
    ],
)
def test_a_schedule_tests_the_disks_it_names_or_all_of_them(schedule: str, tests: bool) -> None:
    assert bool(self_test_schedulers([schedule], DISK)) is tests


def test_an_nvme_disk_is_named_by_its_controller_or_its_namespace() -> None:
    paths = ("/dev/disk/by-id/nvme-OWN_01", "/dev/nvme0n1")
    assert self_test_schedulers(["/etc/smartd.conf: /dev/nvme0 -s S/../.././02"], paths)
    assert self_test_schedulers(["/etc/smartd.conf: /dev/nvme0n1 -s S/../.././02"], paths)
    assert not self_test_schedulers(["/etc/smartd.conf: /dev/nvme1 -s S/../.././02"], paths)


def test_a_file_with_several_lines_is_one_scheduler() -> None:
    lines = [
        "/etc/cron.d/smart: 0 4 * * 1-5 root smartctl -t short /dev/sda",
        "/etc/cron.d/smart: 0 4 * * 6 root smartctl -t long /dev/sda",
    ]
    assert self_test_schedulers([*lines, "/etc/smartd.conf: DEVICESCAN -s S"], DISK) == (
        "/etc/cron.d/smart", "/etc/smartd.conf",
    )  # fmt: skip
