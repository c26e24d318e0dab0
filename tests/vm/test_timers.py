"""A server left to its timers: what `bkp-run units` installs does the work, is watched by Prometheus and audited.

The clock is moved, not slept; the tests build on each other, as the days of one server do.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.vm.site import Site

if TYPE_CHECKING:
    from tests.vm.lab.pool import Pool
    from tests.vm.lab.virtual import VirtualMachine

pytestmark = pytest.mark.needs("clock")

UNITS = "/etc/systemd/system"
INSTALLED = (
    *(f"{job}.{kind}" for job in ("borg-backup", "borg-check", "borg-check-verify") for kind in ("service", "timer")),
    *("borg-drill.service", "borg-drill.timer", "borg-prune.service", "bkp-audit.service", "bkp-audit.timer"),
    *("bkp-exporter.service", "bkp-unit-failed@.service", "bkp-watch.service", "bkp-watch.timer"),
)
SERVICES = tuple(name for name in INSTALLED if name.endswith(".service") and f"{name[:-7]}timer" in INSTALLED)
SUNDAY = 6
_SHORTLY_BEFORE = timedelta(seconds=3)
_PROMETHEUS = """\
global: {scrape_interval: 20s, scrape_timeout: 20s}
scrape_configs:
  - job_name: bkp
    static_configs: [{targets: ["127.0.0.1:10045"]}]
"""
# Nobody has attested anything on this server, nor said that its mails arrive. No place is
# set to hold the ZFS key or the runbook.
UNATTESTED = {"KEY-001", "KEY-002", "KEY-003", "KEY-004", "KEY-006", "KEY-008"}
UNCONFIRMED = {"ALR-005", "DOC-001", "KEY-009"}
# Nor has anybody configured the pool that the backup lies on, or its disks.
UNWATCHED = {
    *("ZFS-005", "ZFS-007", "ZFS-008", "ZFS-009", "ZFS-010"),
    *("SMT-001", "SMT-002", "SMT-003", "SMT-004", "SMT-005", "SMT-006"),
}
# There is nothing for these to judge: no report before this one, no attestation, no place elsewhere, no other key
# before this one, no replication, no heartbeat, no Raspberry Pi.
NOTHING_THERE = {
    *("ALR-004", "AUD-004", "KEY-005", "KEY-007"),
    *("REP-001", "REP-002", "REP-003", "REP-005", "REP-006", "ENC-004", "PRM-016", "PRM-017", "HST-001", "ALR-003"),
}


def _day(of: datetime, weekday: int, *, hour: int, minute: int = 0) -> datetime:
    """Return the first such weekday after a moment's day, at that time."""
    ahead = (weekday - of.weekday() - 1) % 7 + 1
    return (of + timedelta(days=ahead)).replace(hour=hour, minute=minute, second=0, microsecond=0)


@pytest.fixture(scope="module")
def site(server: VirtualMachine, pool: Pool) -> Site:
    """A server on the first Monday of next month, everything installed, all timers waiting."""
    month = (server.now().replace(day=1) + timedelta(days=32)).replace(day=1)
    monday = month + timedelta(days=-month.weekday() % 7)
    server.set_clock(monday.replace(hour=12, minute=0, second=0, microsecond=0))
    found = replace(Site.on(server, pool), encryption="keyfile-blake2")
    found.set_up()
    found.serve_mail()
    found.configure(mail="always")
    found.bkp_run("units", "install", "--enable")
    return found


def _move_to(site: Site, moment: datetime) -> None:
    # A timer that elapses while its service is still at work starts nothing.
    at_work = f"systemctl show -P ActiveState {' '.join(SERVICES)} | grep -qE '^(activating|active|deactivating)$'"
    site.guest.wait_until("all jobs to have ended", f"! {at_work}")
    site.guest.set_clock(moment - _SHORTLY_BEFORE)


def _ended_well(site: Site, job: str, since: datetime) -> dict[str, Any]:
    """Wait until a run of a job that began since then has ended well, and return its record."""
    wanted = f'.started_at >= "{since:%Y-%m-%dT%H:%M:%S}"'
    site.guest.wait_until(f"{job} to succeed", f"jq -e {shlex.quote(wanted)} {site.record(job, 'success')}")
    record: dict[str, Any] = json.loads(site.guest.read(site.record(job, "success")))
    return record


@pytest.mark.smoke
def test_what_is_installed_is_clean_for_systemd_and_waits_for_its_times(site: Site) -> None:
    installed = site.guest.run(f"cd {UNITS} && ls -d borg-*.* bkp-*.*").lines
    assert sorted(name for name in installed if not name.endswith(".d")) == sorted(INSTALLED)
    # The images hold no manuals, so their pages cannot be looked up.
    verify = ("systemd-analyze", "verify", "--man=no", *(f"{UNITS}/{name}" for name in INSTALLED))
    checked = site.guest.run(*verify, check=False)
    assert (checked.code, checked.stdout + checked.stderr) == (0, ""), checked
    assert site.bkp_run("units", "diff").code == 0
    for name in INSTALLED:
        if name.endswith(".timer"):
            assert site.guest.run("systemctl", "is-active", name).text == "active"
    following = site.guest.run("systemctl show -P NextElapseUSecRealtime borg-backup.timer").text
    assert " 02:30:00 " in following


@pytest.mark.smoke
def test_three_nights_by_the_timer_archive_each_nights_files_and_are_mailed(site: Site) -> None:
    for night in range(3):
        site.guest.run(f"echo night {night} > {site.tree}/night && cp {site.tree}/night {site.tree}/child/{night}")
        due = (site.guest.now() + timedelta(days=1)).replace(hour=2, minute=30, second=0, microsecond=0)
        _move_to(site, due)

        record = _ended_well(site, "nightly", due)

        assert (record["outcome"], record["messages"]) == ("success", [])
        path = f"{site.tree}/night".lstrip("/")
        archive = f"{site.repository}::{record['result']['archive']['name']}"
        assert site.guest.run(f"{site.borg} extract --stdout {archive} {path}").text == f"night {night}"
        site.guest.wait_unit_ended("borg-backup.service")
        assert site.guest.run("systemctl show -P Result borg-backup.service").text == "success"
        assert site.left_behind() == []
    assert "multipart/alternative" in site.wait_for_mail("[bkp] ok: nightly of main on")


@pytest.mark.smoke
def test_a_real_prometheus_scrapes_the_exporter_under_its_unit(site: Site) -> None:
    guest = site.guest
    assert guest.run("systemctl is-active bkp-exporter.service").text == "active"
    assert guest.run("ps -o user= -C bkp-exporter").text == "bkp-exporter"
    guest.write("/var/tmp/prometheus.yml", _PROMETHEUS)
    guest.start_unit(
        "lab-prometheus",
        "exec prometheus --config.file=/var/tmp/prometheus.yml --storage.tsdb.path=/var/tmp/prometheus"
        " --web.listen-address=127.0.0.1:9090",
    )

    def query(expression: str) -> list[dict[str, Any]]:
        ask = f"curl -sG --data-urlencode {shlex.quote('query=' + expression)} http://127.0.0.1:9090/api/v1/query"
        answer = guest.run(ask, check=False)
        if answer.code != 0 or not answer.text.startswith("{"):
            return []
        found: list[dict[str, Any]] = json.loads(answer.stdout)["data"]["result"]
        return found

    guest.wait_for("Prometheus to have scraped the exporter", lambda: query('up{job="bkp"} == 1'))
    latest = 'bkp_job_last_success_timestamp_seconds{job_name="nightly",target="main"}'
    guest.wait_for(latest, lambda: query(latest))
    success = query(latest)
    ended = json.loads(guest.read(site.record("nightly", "success")))["ended_at"]
    assert [float(each["value"][1]) for each in success] == [
        pytest.approx(datetime.fromisoformat(ended).timestamp(), abs=1)
    ]
    for expected in (
        "bkp_history_intact == 1",
        'bkp_job_status{job_name="nightly",status="ok"} == 1',
        'bkp_job_deadline_timestamp_seconds{job_name="nightly"} > time()',
    ):
        guest.wait_for(f"Prometheus to say {expected}", lambda expected=expected: query(expected))  # type: ignore[misc]
    # Prometheus holds its samples by time: it ends before the clock is moved again.
    guest.run("systemctl stop lab-prometheus.service")


def test_what_a_weekend_without_power_left_out_is_made_up_for(site: Site) -> None:
    """The clock passes the nights of Friday to Sunday and Saturday's drill in one step; all are due at once."""
    sunday = _day(site.guest.now(), SUNDAY, hour=4, minute=30)
    since = sunday - timedelta(minutes=1)
    _move_to(site, sunday)
    for job in ("nightly", "drill", "check"):
        assert _ended_well(site, job, since)["outcome"] == "success"
    for service in SERVICES:  # whose lock is held until its mail is sent
        site.guest.wait_unit_ended(service)
    assert site.left_behind() == []


def test_the_fifteenth_verifies_all_data(site: Site) -> None:
    due = site.guest.now().replace(day=15, hour=4, minute=45, second=0, microsecond=0)
    assert due > site.guest.now()
    _move_to(site, due)
    assert _ended_well(site, "verify", due)["outcome"] == "success"
    _ended_well(site, "nightly", due - timedelta(minutes=1))


def test_the_monthly_audit_passes_what_is_proven_and_mails_what_is_not(site: Site) -> None:
    guest = site.guest
    first = (guest.now().replace(day=1) + timedelta(days=32)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    last_day = first - timedelta(hours=12)
    _move_to(site, last_day)
    for job in ("nightly", "drill", "check"):
        _ended_well(site, job, last_day - timedelta(minutes=1))
    report = f"{site.state}/audit/report.json"
    # The watch's timer counts from the start, and so knows nothing of a clock that was moved.
    _move_to(site, first - timedelta(minutes=20))
    guest.run("systemctl start bkp-watch.service")
    _move_to(site, first)
    wanted = f'.judged_at >= "{first:%Y-%m-%dT%H:%M:%S}"'
    guest.wait_until("the audit's report", f"jq -e {shlex.quote(wanted)} {report}")
    guest.wait_unit_ended("bkp-audit.service")

    results = json.loads(guest.read(report))["results"]
    verdicts = {each["id"]: each["verdict"] for each in results}
    reasons = {each["id"]: each["reason"] for each in results if each["verdict"] != "pass"}

    assert {name for name, verdict in verdicts.items() if verdict == "unattested"} == UNATTESTED
    # The clock jumped over most nights of this month, and the audit says so.
    expected = {"RUN-006", "RUN-009", *UNCONFIRMED, *UNWATCHED}
    assert {name for name, verdict in verdicts.items() if verdict in {"fail", "error"}} == expected, reasons
    missed = {name for name, verdict in verdicts.items() if verdict == "not_applicable"}
    assert missed == NOTHING_THERE, reasons
    assert {"ENC-003", "ENC-007", "ZFS-001", "ZFS-002", "ZFS-003", "ZFS-004", "ZFS-006"} <= set(verdicts)
    assert guest.run("systemctl show -P Result bkp-audit.service").text == "exit-code"
    assert "Can we restore today?" in site.wait_for_mail("[bkp] audit findings (")
    failed = guest.run("systemctl --failed --plain --no-legend").lines
    assert [line.split()[0] for line in failed] == ["bkp-audit.service"]

    by_hand = f"{site.tools}/report.json"
    guest.run(f"systemctl stop borg-drill.timer && chmod 0640 {site.base}/.config/borg/keys/*")
    guest.run("bkp-audit", "--config", site.config, "--quiet", "--json", by_hand, check=False)
    judged = json.loads(guest.read(by_hand))["results"]
    assert {each["id"] for each in judged if each["verdict"] in {"fail", "error"}} == {*expected, "PRM-010", "RUN-010"}
