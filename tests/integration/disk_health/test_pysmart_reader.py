"""pySMART's reading of a disk, made by the real pySMART with a smartctl that replays outputs."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from bkp.disk_health.second import Disagreement, SecondReading, disagreements
from tests.support.fake_smartctl import FakeSmartctl
from tests.support.smartctl_outputs import disk, written

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def smartctl(tmp_path: Path) -> FakeSmartctl:
    return FakeSmartctl(tmp_path / "bin")


def _read(smartctl: FakeSmartctl, *arguments: str) -> SecondReading:
    path = f"{smartctl.folder}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "bkp.tools.pysmart_reader", *arguments],
        env={"PATH": path, "LC_ALL": "de_DE.UTF-8"},
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return msgspec.json.decode(done.stdout, type=SecondReading)


def test_the_reading_of_a_failing_sata_disk_agrees_with_ours(smartctl: FakeSmartctl) -> None:
    text = written("sata-failing.txt")
    smartctl.answer("-n standby -d sat --all /dev/sda", text, ends_with=24)
    found = _read(smartctl, "/dev/sda", "sat")
    assert (found.error, found.assessment, found.serial) == (None, "FAIL", "NWTEST0001")
    assert (len(found.attributes), len(found.tests)) == (11, 4)
    assert disagreements(disk(text), found) == ()


def test_the_reading_of_an_nvme_disk_agrees_with_ours(smartctl: FakeSmartctl) -> None:
    lines = written("nvme-failing.txt").split("\n")
    text = "\n".join(line for line in lines if "failed segments" not in line)
    smartctl.answer("-n standby -d nvme --all /dev/nvme0", text, ends_with=8)
    found = _read(smartctl, "/dev/nvme0", "nvme")
    assert (found.error, found.assessment, found.attributes, len(found.tests)) == (None, "FAIL", (), 4)
    assert disagreements(disk(text), found) == ()


def test_a_failed_nvme_self_test_that_pysmart_leaves_out_is_a_disagreement(smartctl: FakeSmartctl) -> None:
    text = written("nvme-failing.txt")
    smartctl.answer("-n standby -d nvme --all /dev/nvme0", text, ends_with=8)
    found = disagreements(disk(text), _read(smartctl, "/dev/nvme0", "nvme"))
    assert found == (Disagreement(what="self-test at 25790 h", smartctl="failed", pysmart="absent"),)


def test_the_reading_of_a_failing_sas_disk_agrees_with_ours(smartctl: FakeSmartctl) -> None:
    text = written("sas-failing.txt")
    smartctl.answer("-n standby -d scsi --all /dev/sdb", text, ends_with=8)
    found = _read(smartctl, "/dev/sdb", "scsi")
    assert (found.error, found.assessment) == (None, "FAIL")
    assert disagreements(disk(text), found) == ()


def test_a_failing_disks_text_that_was_spoilt_never_passes(smartctl: FakeSmartctl) -> None:
    """Cut, garbled, its lines moved, its words renamed: pySMART says FAIL, or nothing that is believed."""
    text = written("sata-failing.txt")
    lines = text.splitlines(keepends=True)
    spoilt = (text[: len(text) // 3], text[200:2600], "".join(reversed(lines)), text.replace("FAILED!", "FA\0LED"))
    for each in spoilt:
        smartctl.answer("-n standby -d sat --all /dev/sda", each, ends_with=24)
        found = _read(smartctl, "/dev/sda", "sat")
        assert found.error or found.assessment != "PASS"


def test_another_disk_in_its_place_is_a_disagreement(smartctl: FakeSmartctl) -> None:
    text = written("sata-failing.txt")
    smartctl.answer("-n standby -d sat --all /dev/sda", text.replace("NWTEST0001", "NWTEST0009"))
    found = disagreements(disk(text), _read(smartctl, "/dev/sda", "sat"))
    assert found == (Disagreement(what="serial", smartctl="NWTEST0001", pysmart="NWTEST0009"),)


def test_smartctl_is_called_in_the_c_locale_and_leaves_a_sleeping_disk_alone(smartctl: FakeSmartctl) -> None:
    _read(smartctl, "/dev/sda", "sat")
    assert smartctl.calls() == [("-n standby -d sat --all /dev/sda", "C")]


@pytest.mark.parametrize(
    ("interface", "stdout", "ends_with"),
    [
        ("sat", "smartctl 7.4\n\nDevice is in STANDBY mode, exit(2)\n", 2),
        ("sat", "", 1),
        ("sat", written("usb-bridge.txt"), 1),
        ("sat", written("open-failed.txt"), 2),
        ("nvme", "\n\n\n\nNamespace 1 Formatted LBA Size: x\n", 0),
        ("usbprolific", "", 0),
    ],
)
def test_what_was_not_read_is_unknown_with_a_reason(
    smartctl: FakeSmartctl, interface: str, stdout: str, ends_with: int
) -> None:
    smartctl.answer(f"-n standby -d {interface} --all /dev/sda", stdout, ends_with=ends_with)
    found = _read(smartctl, "/dev/sda", interface)
    assert found.error
    assert found.assessment is None


@pytest.mark.parametrize("device", ["sda", "/dev/disk/by-id/nvd-1", "/dev/x/dev/sda"])
def test_a_device_that_pysmart_would_rename_is_not_read(smartctl: FakeSmartctl, device: str) -> None:
    assert "another device" in (_read(smartctl, device, "sat").error or "")
    assert smartctl.calls() == []


def test_a_call_without_a_device_says_so(smartctl: FakeSmartctl) -> None:
    assert "called without" in (_read(smartctl).error or "")


def test_a_smartctl_that_hangs_can_be_stopped_from_outside(smartctl: FakeSmartctl) -> None:
    smartctl.answer("-n standby -d sat --all /dev/sda", "", seconds=600)
    reader = subprocess.Popen(
        [sys.executable, "-m", "bkp.tools.pysmart_reader", "/dev/sda", "sat"],
        env={"PATH": f"{smartctl.folder}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            reader.communicate(timeout=3)
    finally:
        os.killpg(reader.pid, 9)
    # the pipe closes only when smartctl is gone, too
    assert reader.communicate(timeout=30)[0] == b""
