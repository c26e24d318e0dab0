"""bkp-run selftest through the real pySMART, with a smartctl that replays outputs."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bkp.clock import utc_now
from runner.probe import commands
from tests.support.hardware_site import SCRUBBED, STATUS, HardwareSite, pool
from tests.support.probe_world import ONE, TWO, WATCHED, recorded
from tests.support.records import a_run

if TYPE_CHECKING:
    from pathlib import Path

ASK = {name: " ".join(commands.smart(f"/dev/disk/by-id/{name}", None)) for name in (ONE, TWO)}
ALL = "smartctl -n standby -d sat --all /dev/{}"
TEXT = """\
=== START OF INFORMATION SECTION ===
Device Model:     QEMU HARDDISK
Serial Number:    LABHDD0
SMART support is: Available - device has SMART capability.
SMART support is: Enabled

=== START OF READ SMART DATA SECTION ===
SMART overall-health self-assessment test result: PASSED

General SMART Values:
Self-test execution status:      (   0)\tThe previous self-test routine completed
\t\t\t\t\twithout error or no self-test has ever
\t\t\t\t\tbeen run.
Offline data collection
capabilities: \t\t\t (0x19) SMART execute Offline immediate.
\t\t\t\t\tSelf-test supported.
\t\t\t\t\tNo Conveyance Self-test supported.

SMART Self-test log structure revision number 1
No self-tests have been logged.  [To run self-tests, use: smartctl -t]
"""
BEGUN = "Testing has begun.\nPlease wait 2 minutes for test to complete.\n"


def health(*log: tuple[int, str], running: bool = False, **more: Any) -> str:
    """Return smartctl's JSON of the disk, with entries of its self-test log: status byte and words."""
    document = json.loads(recorded("smartctl/trixie/sata-hdd"))
    table = [
        {
            "type": {"value": 1, "string": "Short offline"},
            "status": {"value": value, "string": words},
            "lifetime_hours": 1,
            **({"lba": 4711} if value >> 4 == 7 else {}),
        }
        for value, words in log
    ]
    document["ata_smart_self_test_log"] = {"standard": {"revision": 1, "table": table, "count": len(table)}}
    if running:
        status = {"value": 249, "string": "in progress, 90% remaining", "remaining_percent": 90}
        document["ata_smart_data"]["self_test"]["status"] = status
    return json.dumps(document | more)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HardwareSite:
    found = HardwareSite(tmp_path, monkeypatch)
    for name, device in ((ONE, "sda"), (TWO, "sdb")):
        found.programs.answer(ASK[name], health())
        found.programs.answer(ALL.format(device), TEXT)
        # pySMART gives a test no options: the disk is awake
        started = {ASK[name]: health(running=True)}
        for options in ("", "-n standby "):
            found.programs.answer(f"smartctl {options}-d sat -t short /dev/{device}", BEGUN, then=started)
    return found


def starts(site: HardwareSite) -> list[str]:
    return [call for call in site.asked("smartctl") if " -t short " in call]


def test_disks_of_a_pool_test_themselves_one_after_the_other(site: HardwareSite) -> None:
    done = site.run("selftest", "short", "--no-wait", "--json")
    assert done.exception is None
    one, two = json.loads(done.stdout)
    assert (one["target"], one["outcome"], one["result"]["ended_as"]) == ("one", "running", "running")
    assert (two["outcome"], two["reason"]) == ("deferred", "a self-test runs on one, of the same pool")
    assert done.return_value == 4
    assert len(starts(site)) == 1

    code, (followed,) = site.follow()
    assert (code, followed["result"]["progress"]) == (0, pytest.approx(0.1))

    site.programs.answer(ASK[ONE], health((0, "Completed without error")))
    code, runs = site.follow()
    assert code == 0
    passed, begun = runs
    assert (passed["target"], passed["outcome"], passed["result"]["ended_as"]) == ("one", "success", "passed")
    assert (begun["target"], begun["outcome"]) == ("two", "running")
    assert len(starts(site)) == 2
    assert {locale for call, locale in site.programs.calls() if call in starts(site)} == {"C"}


@pytest.mark.parametrize(
    ("log", "ended_as", "words"),
    [
        ((121, "Completed: read failure"), "failed", "failed at block 4711"),
        ((25, "Aborted by host"), "aborted", "was aborted before its end"),
        ((41, "Interrupted (host reset)"), "interrupted", "was interrupted by a reset"),
    ],
)
def test_what_did_not_pass_is_an_outcome_of_its_own_and_no_success(
    site: HardwareSite, log: tuple[int, str], ended_as: str, words: str
) -> None:
    site.job("selftest", "short", "--no-wait", "--target", "one")
    site.programs.answer(ASK[ONE], health(log))
    code, (run,) = site.follow()
    assert (code, run["outcome"], run["result"]["ended_as"]) == (3, "failure", ended_as)
    assert words in run["reason"]
    assert not site.store.job_dir("selftest-short", "one").joinpath("success.json").exists()


def test_a_disk_that_sleeps_is_left_asleep_and_tested_once_somebody_has_woken_it(site: HardwareSite) -> None:
    asleep = "smartctl 7.4 2023-08-01 r5530\n\nDevice is in STANDBY mode, exit(2)\n"
    site.programs.answer(ASK[ONE], asleep, ends_with=2)
    code, run = site.job("selftest", "short", "--no-wait", "--target", "one")
    assert (code, run["outcome"], "it sleeps" in run["reason"]) == (4, "deferred", True)
    assert starts(site) == []
    assert site.follow() == (0, [])
    site.programs.answer(ASK[ONE], health())
    assert [run["outcome"] for run in site.follow()[1]] == ["running"]


def test_a_disk_that_sleeps_is_woken_where_that_is_configured_and_not_left_for_tested(site: HardwareSite) -> None:
    site.configure(f"disks: {{one: {{path: /dev/disk/by-id/{ONE}, wake_for_tests: true}}}}\n")
    asleep = "smartctl 7.4 2023-08-01 r5530\n\nDevice is in STANDBY mode, exit(2)\n"
    wake = " ".join(commands.smart(f"/dev/disk/by-id/{ONE}", None, wake=True))
    site.programs.answer(ASK[ONE], asleep, ends_with=2)
    site.programs.answer(wake, "", ends_with=2)  # it does not wake
    _, run = site.job("selftest", "short", "--no-wait")
    assert (run["outcome"], starts(site), site.asked(wake)) == ("deferred", [], [wake])
    site.programs.answer(wake, health(), then={ASK[ONE]: health()})
    code, (run,) = site.follow()
    assert (code, run["outcome"], len(starts(site))) == (0, "running", 1)


def test_a_test_that_cannot_begin_until_its_deadline_has_failed(site: HardwareSite) -> None:
    site.programs.answer(STATUS, pool("scrub-in-progress"))
    _, run = site.job("selftest", "short", "--no-wait", "--target", "one")
    assert run["outcome"] == "deferred"
    site.store.write_ended(a_run("selftest-short", utc_now() - timedelta(days=40), target="one"))
    code, run = site.job("selftest", "short", "--no-wait", "--target", "one")
    assert (code, run["outcome"]) == (3, "failure")
    assert run["reason"] == "start: its deadline has passed, and it still cannot begin: pool tank is being scrubbed"
    assert (run["remedy"], starts(site)) == ("see to that, then `bkp-run selftest short`", [])


NVME = "nvme-QEMU_NVMe_Ctrl_LABNVME4"
NVME_ASK = " ".join(commands.smart(f"/dev/disk/by-id/{NVME}", None))
NVME_TEXT = """\
smartctl 7.4 2023-08-01 r5530 [x86_64-linux-6.12.117+deb13-amd64] (local build)
Copyright (C) 2002-23, Bruce Allen, Christian Franke, www.smartmontools.org

=== START OF INFORMATION SECTION ===
Model Number:                       QEMU NVMe Ctrl
Serial Number:                      LABNVME4
Optional Admin Commands (0x0017):   {}

=== START OF SMART DATA SECTION ===
SMART overall-health self-assessment test result: PASSED
"""


def nvme(*log: dict[str, Any], running: bool = False) -> str:
    """Return smartctl's JSON of an NVMe disk that has self-tests."""
    document = json.loads(recorded("smartctl/trixie/nvme"))
    now = {"value": 1, "string": "Short self-test in progress"} if running else {"value": 0, "string": "No self-test"}
    document["nvme_self_test_log"] = {"current_self_test_operation": now, "table": [*log, None]}
    if running:
        document["nvme_self_test_log"]["current_self_test_completion_percent"] = 30
    return json.dumps(document)


@pytest.fixture
def nvme_site(site: HardwareSite) -> HardwareSite:
    site.world.disk("nvme0n1", NVME)
    site.configure(f"disks: {{fast: {{path: /dev/disk/by-id/{NVME}}}}}\n")
    site.programs.answer(NVME_ASK, nvme())
    site.programs.answer("smartctl -n standby -d nvme --all /dev/nvme0", NVME_TEXT.format("Security Format Self_Test"))
    for options in ("", "-n standby "):
        command = f"smartctl {options}-d nvme -t short /dev/nvme0"
        site.programs.answer(command, "Self-test has begun\n", then={NVME_ASK: nvme(running=True)})
    return site


def test_an_nvme_disk_is_tested_through_its_controller_and_its_own_log_says_how_that_ended(
    nvme_site: HardwareSite,
) -> None:
    code, run = nvme_site.job("selftest", "short", "--no-wait")
    assert (code, run["outcome"], run["result"]["progress"]) == (0, "running", pytest.approx(0.3))
    assert [call.split()[-1] for call in starts(nvme_site)] == ["/dev/nvme0"]
    ended = {"self_test_code": {"value": 1, "string": "Short"}, "power_on_hours": 0}
    passed = ended | {"self_test_result": {"value": 0, "string": "Completed without error"}}
    nvme_site.programs.answer(NVME_ASK, nvme(passed))
    code, (run,) = nvme_site.follow()
    assert (code, run["outcome"], run["result"]["ended_as"]) == (0, "success", "passed")


def test_a_disk_that_has_a_log_of_self_tests_is_not_one_without_them_because_pysmart_says_so(
    nvme_site: HardwareSite,
) -> None:
    nvme_site.programs.answer("smartctl -n standby -d nvme --all /dev/nvme0", NVME_TEXT.format("Security Format"))
    code, run = nvme_site.job("selftest", "short", "--no-wait")
    assert (code, run["outcome"], run["outlives_process"]) == (3, "failure", False)
    assert "does not support the 'short' test" in run["reason"]


def test_no_test_begins_beside_a_scrub_and_no_scrub_beside_a_test(site: HardwareSite) -> None:
    site.programs.answer(STATUS, "", ends_with=1, stderr="cannot get status: internal error")
    _, run = site.job("selftest", "short", "--no-wait", "--target", "one")
    assert (run["outcome"], "cannot be seen, and may be scrubbed" in run["reason"]) == ("deferred", True)
    site.programs.answer(STATUS, pool("scrub-in-progress"))
    _, run = site.job("selftest", "short", "--no-wait", "--target", "one")
    assert (run["outcome"], run["reason"]) == ("deferred", "pool tank is being scrubbed")
    site.programs.answer(STATUS, pool(SCRUBBED))
    site.job("selftest", "short", "--target", "one", "--no-wait")
    # whatever the configuration says, the pool lies on its disks
    for watched in (WATCHED, WATCHED.replace("disks: [one, two]", "disks: []")):
        site.configure(watched)
        _, run = site.job("scrub")
        assert (run["outcome"], run["reason"]) == ("deferred", "a self-test runs on one")
        _, run = site.job("selftest", "short", "--no-wait", "--target", "two")
        assert (run["outcome"], run["reason"]) == ("deferred", "a self-test runs on one, of the same pool")
    assert site.asked("zpool scrub") == []


def test_a_disk_without_self_tests_is_no_failure_and_counts_as_no_test(site: HardwareSite) -> None:
    without = json.loads(health())
    without["ata_smart_data"]["capabilities"]["self_tests_supported"] = False
    del without["ata_smart_self_test_log"]
    site.programs.answer(ASK[ONE], json.dumps(without))
    code, run = site.job("selftest", "short", "--no-wait", "--target", "one")
    assert (code, run["outcome"], run["result"]["ended_as"]) == (0, "success", "unsupported")
    assert starts(site) == []


@pytest.mark.parametrize(
    ("answer", "seconds", "words"),
    [("Something odd.\n", 0, "could not be started: Unspecified Error"), ("", 90, "gave no answer within")],
)
def test_a_test_that_does_not_start_is_a_failure_and_leaves_nothing_under_way(
    site: HardwareSite, monkeypatch: pytest.MonkeyPatch, answer: str, seconds: float, words: str
) -> None:
    monkeypatch.setattr(commands, "SMARTCTL_SECONDS", 3.0)
    for options in ("", "-n standby "):
        site.programs.answer(f"smartctl {options}-d sat -t short /dev/sda", answer, seconds=seconds)
    code, run = site.job("selftest", "short", "--no-wait", "--target", "one")
    assert (code, run["outcome"], run["outlives_process"]) == (3, "failure", False)
    assert words in run["reason"]
    assert site.follow() == (0, [])


def test_another_disk_in_its_place_ends_the_run_as_unknown(site: HardwareSite) -> None:
    site.job("selftest", "short", "--target", "one", "--no-wait")
    site.programs.answer(ASK[ONE], health((0, "Completed without error"), serial_number="OTHER"))
    _, (run,) = site.follow()
    assert (run["outcome"], "another disk is one now" in run["reason"]) == ("failure", True)


def test_a_dry_run_starts_nothing(site: HardwareSite) -> None:
    done = site.run("selftest", "short", "--dry-run", "--target", "one")
    assert "bkp.tools.pysmart_tester /dev/sda auto short" in done.stdout
    assert site.programs.calls() == []
