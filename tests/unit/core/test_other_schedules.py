"""Which schedules mean which pool and which disk."""

import pytest

from bkp.other_schedules import scrub_schedulers, self_test_schedulers
from bkp.started_work import scrubs_in, self_tests_in

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
        (f"{OWN} -s my-pool; zpool scrub tank", {"tank"}),
        ("/etc/crontab: 0 3 * * 0 root systemctl start zfs-scrub-weekly@tank", {"tank"}),
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
        ("/etc/crontab: 0 4 * * 6 root smartctl -X /dev/sda; smartctl -t long /dev/sdb", False),
        ("/etc/crontab: 0 4 * * 6 root for d in /dev/sda /dev/sdb; do smartctl -t long $d; done", True),
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


@pytest.mark.parametrize(
    ("line", "starts"),
    [
        ("0 3 * * 0 root /sbin/zpool scrub tank", True),
        ("0 3 * * 0 root zpool scrub -w tank", True),
        ("0 3 * * 0 root zpool scrub -a", True),
        ('"$ZPOOL" scrub "$pool"', True),
        ("for pool in $(zpool list -Ho name); do ${ZPOOL} scrub $pool; done", True),
        ("sh -c 'zpool scrub tank'", True),
        ("zpool scrub -s old && zpool scrub tank", True),
        ("if [ $(date +\\%w) -eq 0 ]; then /usr/lib/zfs-linux/scrub; fi", True),
        ("systemctl --no-block start zfs-scrub@tank.service", True),
        ("/usr/bin/bkp-run --config /etc/own.yml scrub main", True),
        ("systemctl start bkp-scrub.service", True),
        ("0 7 * * 0 root zpool scrub -s tank", False),
        ("0 7 * * 0 root zpool scrub -p tank >/dev/null 2>&1", False),
        ("0 7 * * 0 root zpool scrub -ew tank", False),
        ("systemctl stop zfs-scrub-weekly@tank.service", False),
        ("systemctl start zfs-trim-weekly@tank.timer", False),
        ("echo zpool scrub tank", False),
        ('logger "zpool scrub begins"', False),
        ("bkp-run scrub --dry-run", False),
        ("bkp-run pause scrub", False),
        ("zpool status tank | grep scrub", False),
    ],
)
def test_a_line_starts_a_scrub_or_does_not(line: str, starts: bool) -> None:
    assert bool(scrubs_in(line)) is starts


@pytest.mark.parametrize(
    ("line", "starts"),
    [
        ("smartctl -t short /dev/sda", True),
        ("/usr/sbin/smartctl -d sat -tlong /dev/sda", True),
        ("smartctl --test=conveyance /dev/sda", True),
        ("smartctl --test long /dev/sda", True),
        ("smartctl -t force -t long /dev/sda", True),
        ("smartctl -t select,0-max /dev/sda", True),
        ('smartctl -t "$kind" "$disk"', True),
        ("bkp-run selftest short", True),
        ("systemctl start bkp-selftest-long", True),
        ("smartctl -X /dev/sda", False),
        ("smartctl --abort /dev/sda", False),
        ("smartctl -t offline /dev/sda", False),
        ("smartctl -t afterselect,on /dev/sda", False),
        ("smartctl -a /dev/sda | column -t", False),
        ("smartctl -l selftest /dev/sda", False),
        ("echo smartctl -t long /dev/sda", False),
    ],
)
def test_a_line_starts_a_self_test_or_does_not(line: str, starts: bool) -> None:
    assert bool(self_tests_in(line)) is starts
