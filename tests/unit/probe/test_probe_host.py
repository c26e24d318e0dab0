"""What the host tells of itself, and what stays unknown where it does not."""

from pathlib import Path

import pytest

from bkp.observations import HostSeen, Schedulers
from bkp.other_schedules import scrub_schedulers, self_test_schedulers
from runner.probe import commands
from runner.probe.devices import Host
from runner.probe.host import look_at_host
from runner.probe.kernels import newest_of
from tests.support.probe_world import ProbeWorld

RUNNING = "6.12.25+rpt-rpi-2712"


@pytest.fixture
def world(tmp_path: Path) -> ProbeWorld:
    return ProbeWorld(tmp_path)


def seen(world: ProbeWorld, running: str = RUNNING) -> HostSeen:
    found = look_at_host(world.host, world.ask, lambda: world.now, running).found
    assert isinstance(found, HostSeen)
    return found


def write(world: ProbeWorld, path: str, text: str = "") -> None:
    file = world.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_a_bare_host_tells_nothing_and_nothing_is_made_up(tmp_path: Path) -> None:
    world = ProbeWorld(tmp_path)
    world.answers.clear()
    found = seen(world)
    assert (found.undervoltage, found.usb_resets, found.arc_bytes) == (None, None, None)
    assert found.kernels is not None
    assert (found.kernels.newest, found.kernels.newest_has_zfs) == (None, None)


@pytest.mark.parametrize(
    ("said", "under"),
    [
        ("throttled=0x50000\n", True),
        ("throttled=0x1\n", True),
        ("throttled=0xe0008\n", False),
        ("throttled=0x0\n", False),
        ("error=1 error_msg=x\n", None),
        ("", None),
    ],
)
def test_the_firmware_tells_of_undervoltage_since_boot(world: ProbeWorld, said: str, under: bool | None) -> None:
    world.say(commands.THROTTLED, said)
    assert seen(world).undervoltage is under


@pytest.mark.parametrize(
    ("path", "said", "under"),
    [
        ("sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n", True),
        ("sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled", "10000\n", True),
        ("sys/devices/platform/soc/soc:firmware/get_throttled", "0\n", None),
        ("sys/class/hwmon/hwmon3/in0_lcrit_alarm", "1\n", True),
        ("sys/class/hwmon/hwmon3/in0_lcrit_alarm", "0\n", None),
    ],
)
def test_without_the_firmwares_program_the_kernels_files_can_only_say_yes(
    world: ProbeWorld, path: str, said: str, under: bool | None
) -> None:
    write(world, "sys/class/hwmon/hwmon3/name", "rpi_volt\n")
    write(world, path, said)
    assert seen(world).undervoltage is under


def test_resets_of_usb_devices_and_undervoltage_are_taken_from_the_kernels_log(world: ProbeWorld) -> None:
    log = (
        "usb 2-1: new SuperSpeed USB device number 2 using xhci_hcd\n"
        "usb 2-1: reset SuperSpeed USB device number 2 using xhci_hcd\n"
        "usb 2-1.4: reset SuperSpeed Plus Gen 2x1 USB device number 3 using xhci_hcd\n"
        "hwmon hwmon1: Under-voltage detected!\n"
    )
    world.say(commands.KERNEL_LOG, log)
    assert (seen(world).usb_resets, seen(world).undervoltage) == (2, True)


def test_a_log_without_a_match_counts_none_and_one_that_cannot_be_had_is_unknown(world: ProbeWorld) -> None:
    write(world, "run/log/journal/0123456789abcdef0123456789abcdef/system.journal")
    assert seen(world).usb_resets == 0
    world.say(commands.KERNEL_LOG, "", exit_code=1, stderr="Compiled without pattern matching support\n")
    assert seen(world).usb_resets is None


def test_a_host_that_keeps_no_journal_does_not_tell_how_often_usb_devices_were_reset(world: ProbeWorld) -> None:
    (world.root / "var/log/journal").mkdir(parents=True)
    assert seen(world).usb_resets is None


def test_the_size_of_zfs_cache(world: ProbeWorld) -> None:
    write(
        world, "proc/spl/kstat/zfs/arcstats", "9 1 0x01 147 39984 1 2\nname  type data\nsize     4    123456\nc 4 9\n"
    )
    assert seen(world).arc_bytes == 123456


@pytest.mark.parametrize(
    ("installed", "running", "newest"),
    [
        (["6.1.0-9-amd64", "6.1.0-13-amd64"], "6.1.0-9-amd64", "6.1.0-13-amd64"),
        (["6.6.31+rpt-rpi-2712", "6.12.25+rpt-rpi-v8"], "6.6.31+rpt-rpi-2712", "6.6.31+rpt-rpi-2712"),
        (["6.12.100+deb13-amd64", "6.12.99+deb13-amd64"], "6.12.99+deb13-amd64", "6.12.100+deb13-amd64"),
        (["6.1.0-13-amd64", "6.1.0-14-cloud-amd64"], "6.1.0-13-amd64", "6.1.0-13-amd64"),
        (["6.1.0-13-amd64"], "self-built", "6.1.0-13-amd64"),
        ([], "6.1.0-13-amd64", None),
    ],
)
def test_the_next_kernel_is_the_newest_of_the_running_ones_flavour(
    installed: list[str], running: str, newest: str | None
) -> None:
    assert newest_of(installed, running) == newest


@pytest.mark.parametrize(
    "module",
    ["updates/dkms/zfs.ko.xz", "extra/zfs.ko", "extra/zfs/zfs.ko.zst", "kernel/zfs/zfs.ko", "kernel/fs/zfs/zfs.ko"],
)
def test_a_module_of_the_newest_kernel_is_found_wherever_it_lies(world: ProbeWorld, module: str) -> None:
    write(world, f"lib/modules/{RUNNING}/kernel/x.ko")
    write(world, "lib/modules/6.12.30+rpt-rpi-2712/kernel/x.ko")
    found = seen(world).kernels
    assert found is not None
    assert (found.newest, found.newest_has_zfs) == ("6.12.30+rpt-rpi-2712", False)
    write(world, f"lib/modules/6.12.30+rpt-rpi-2712/{module}")
    found = seen(world).kernels
    assert found is not None
    assert found.newest_has_zfs is True


def test_who_else_schedules_scrubs_and_self_tests_is_named_with_file_and_line(world: ProbeWorld) -> None:
    debian = "24 0 8-14 * * root if [ $(date +\\%w) -eq 0 ]; then /usr/lib/zfs-linux/scrub; fi"
    write(world, "etc/cron.d/zfsutils-linux", f"PATH=/usr/bin\n# TRIM\n#0 0 * * * root zpool scrub old\n{debian}\n")
    write(world, "etc/systemd/system/timers.target.wants/zfs-scrub-weekly@tank.timer")
    write(world, "var/spool/cron/crontabs/root", "0 3 * * 0 smartctl -t long /dev/sda\n")
    write(world, SMARTD)
    write(
        world, "etc/smartd.conf", "# -s none\nDEVICESCAN -a \\\n -s (S/../.././02|L/../../6/03) -m root\n/dev/x -s no\n"
    )
    found = seen(world).schedulers
    assert found is not None
    assert found.scrubs == (
        "/etc/systemd/system/timers.target.wants/zfs-scrub-weekly@tank.timer",
        f"/etc/cron.d/zfsutils-linux: {debian}",
    )
    assert found.self_tests == (
        "/etc/smartd.conf: DEVICESCAN -s (S/../.././02|L/../../6/03)",
        "/var/spool/cron/crontabs/root: 0 3 * * 0 smartctl -t long /dev/sda",
    )


SMARTD = "etc/systemd/system/multi-user.target.wants/smartmontools.service"


def test_a_smartd_that_nothing_starts_or_that_only_collects_data_tests_no_disk(world: ProbeWorld) -> None:
    conf = "/dev/sda -s (O/../.././(00|12))\n/dev/sdb -s (S/../.././02|O/../.././12)\n"
    write(world, "etc/smartd.conf", conf)
    found = seen(world).schedulers
    assert found is not None
    assert found.self_tests == ()
    write(world, SMARTD)
    found = seen(world).schedulers
    assert found is not None
    assert found.self_tests == ("/etc/smartd.conf: /dev/sdb -s (S/../.././02|O/../.././12)",)


def test_what_a_comment_says_in_smartds_configuration_schedules_nothing(world: ProbeWorld) -> None:
    write(world, SMARTD)
    write(world, "etc/smartd.conf", "/dev/sda -m root  # later: -s (S/../.././02)\n")
    found = seen(world).schedulers
    assert found is not None
    assert found.self_tests == ()


def test_debians_own_smartd_schedules_no_self_test(world: ProbeWorld) -> None:
    write(world, SMARTD)
    write(world, "etc/smartd.conf", "DEVICESCAN -d removable -n standby -m root -M exec /usr/share/smartmontools/x\n")
    found = seen(world).schedulers
    assert found is not None
    assert found.self_tests == ()


def test_files_that_cannot_be_read_are_no_error(tmp_path: Path) -> None:
    (tmp_path / "etc/smartd.conf").mkdir(parents=True)
    (tmp_path / "etc/cron.d").touch()
    assert Host(tmp_path).names("/etc/cron.d") == []
    assert Host(tmp_path).text("/etc/smartd.conf") is None


def script(world: ProbeWorld, path: str, text: str, mode: int = 0o755) -> None:
    write(world, path, text)
    (world.root / path).chmod(mode)


def test_scripts_of_crons_folders_and_timers_of_ones_own_are_looked_into(world: ProbeWorld) -> None:
    script(world, "usr/local/sbin/of-cron", "#!/bin/sh\nzpool scrub -s tank\n/sbin/zpool scrub tank\n")
    write(world, "etc/cron.d/of-cron", "0 5 * * 0 root /usr/local/sbin/of-cron --all\n")
    write(world, "etc/cron.d/of-cron.dpkg-old", "0 5 * * 0 root zpool scrub tank\n")  # cron passes over it
    write(world, "etc/anacrontab", "7 10 scrub zpool scrub tank\n")
    write(world, "var/spool/cron/crontabs/root", "0 7 * * 1 zpool scrub -p tank\n0 8 * * 1 smartctl -X /dev/sda\n")
    script(world, "etc/cron.weekly/scrub", "#!/bin/sh\nzpool scrub tank\n")
    script(world, "etc/cron.monthly/test.sh", "#!/bin/sh\nsmartctl -t long /dev/sda\n")  # run-parts passes over it
    script(world, "etc/cron.daily/off", "zpool scrub tank\n", mode=0o644)
    wants = "etc/systemd/system/timers.target.wants"
    for name in ("mine.timer", "test@sda.timer", "harmless.timer", "script.timer"):
        write(world, f"{wants}/{name}")
    write(world, "etc/systemd/system/mine.timer", "[Timer]\nUnit=other.service\n")
    write(world, "usr/lib/systemd/system/other.service", "[Service]\nExecStart=-/usr/sbin/zpool scrub tank\n")
    write(world, "etc/systemd/system/test@.service", "[Service]\nExecStart=/usr/sbin/smartctl -t short /dev/%i\n")
    write(world, "etc/systemd/system/harmless.service", "[Service]\nExecStart=/bin/true\n")
    write(world, "etc/systemd/system/script.service", "[Service]\nExecStart=/usr/local/sbin/all-disks --now\n")
    script(world, "usr/local/sbin/all-disks", "#!/bin/sh\nfor d in /dev/sd?; do smartctl -t long $d; done\n")
    found = seen(world).schedulers
    assert found is not None
    own = f"/{wants}/mine.timer: /usr/sbin/zpool scrub tank"
    assert found.scrubs == (
        "/etc/cron.d/of-cron: /sbin/zpool scrub tank",
        "/etc/anacrontab: 7 10 scrub zpool scrub tank",
        "/etc/cron.weekly/scrub: zpool scrub tank",
        own,
    )
    places = [each.partition(": ")[0] for each in found.self_tests]
    assert places == [f"/{wants}/script.timer", f"/{wants}/test@sda.timer"]


def test_bkps_own_timers_are_one_scheduler_and_only_where_they_are_enabled(world: ProbeWorld) -> None:
    assert seen(world).schedulers == Schedulers()
    for name in ("bkp-scrub", "bkp-selftest-short", "bkp-selftest-long"):
        write(world, f"etc/systemd/system/{name}.service", "[Service]\nExecStart=/usr/bin/bkp-run scrub --unit\n")
        write(world, f"etc/systemd/system/timers.target.wants/{name}.timer")
    found = seen(world).schedulers
    assert found is not None
    assert scrub_schedulers(found.scrubs, "tank") == ("bkp-run",)
    assert self_test_schedulers(found.self_tests, ["/dev/sda"]) == ("bkp-run",)
