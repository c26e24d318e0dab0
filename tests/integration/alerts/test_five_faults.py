"""Five faults at once, from the fault to the phone and back, through the real programs.

A repository is corrupted and borg's own check finds it; the disk of another is full when its night ends; nobody starts
the nightly of a third, and its deadline passes; zpool says that a pool is degraded, and the probe looks; the exporter
of another server dies. Then all of it is mended.
"""

from __future__ import annotations

import contextlib
import json
import platform
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from click.testing import CliRunner

from bkp.clock import utc_now
from bkp.jobs import JOBS
from runner.cli import cli
from runner.probe import commands
from tests.integration.exporter.conftest import running
from tests.support.alert_rules import ALERTS, RULES
from tests.support.alertmanager import Hook, alertmanager
from tests.support.fake_programs import FakePrograms
from tests.support.hardware_site import STATUS, pool
from tests.support.http import get, wait_until
from tests.support.mailbox import Mailbox, text_of
from tests.support.mounts import in_own_mounts
from tests.support.probe_world import ONE, TWO, WATCHED, ProbeWorld, recorded
from tests.support.prometheus import free_port, prometheus
from tests.support.repositories import make_repository
from tests.support.runner_world import BKP_RUN, World, borg_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

FAULTS = {
    ("BkpJobFailed", "check on main"),
    ("BkpFilesystemFull", "repository small"),
    ("BkpJobLate", "nightly on photos"),
    ("BkpPoolNotOnline", "pool tank"),
    ("BkpExporterDown", None),
}
# The host as the probe finds it: scrubs and self-tests have a schedule, and the kernel has its module.
WELL = {
    "etc/cron.d/zfsutils-linux": "24 0 8-14 * * root zpool scrub tank\n",
    "etc/systemd/system/multi-user.target.wants/smartmontools.service": "",
    "etc/smartd.conf": "DEVICESCAN -s (S/../.././02|L/../../6/03) -m root\n",
    f"lib/modules/{platform.release()}/kernel/zfs/zfs.ko": "",
}
# A night on a file system with room, for borg's compact wants half a gigabyte; one when it is nearly full; one when
# there is room again. A tmpfs takes only what is in it, whatever its size.
SMALL = """\
set -e
night() { "$3" --config "$4" nightly --target small --quiet; }
mount -t tmpfs -o size=1g small "$2"
cp -a "$1" "$2/repo"
night "$@"
mount -o remount,size=8m "$2"
head -c 6M /dev/zero >"$2/filler"
night "$@"
echo ended
read -r _
mount -o remount,size=1g "$2"
rm "$2/filler"
night "$@"
"""


def unscheduled(jobs: set[str]) -> dict[str, dict[str, None]]:
    """Return the configuration of jobs that are run by hand only."""
    return {JOBS[name].key: {"schedule": None} for name in jobs}


class Site(World):
    """A server with three repositories and a pool."""

    def __init__(self, root: Path, template: Path, patch: pytest.MonkeyPatch) -> None:
        super().__init__(root, template)
        (root / "small").mkdir()
        small, photos = (
            {"path": str(root / path), "base_dir": str(root / f"base of {path}")} for path in ("small/repo", "photos")
        )
        for each in (small, photos):
            Path(each["base_dir"]).mkdir(parents=True)
        # the machine's own disk may be as full as it likes
        self.main.update(free_warning=0.0002, free_critical=0.0001)
        self.config["repositories"] |= {
            "small": {**self.main, **small, "free_warning": 0.4, "free_critical": 0.3},
            "photos": {**self.main, **photos},
        }
        shutil.copytree(template, root / "photos")
        self.config |= yaml.safe_load(WATCHED)
        self.config["jobs"] = unscheduled(set(JOBS) - {"nightly"})
        self.write_config()
        world = ProbeWorld(root / "host")
        for name, disk in (("LABNVME1", ONE), ("LABNVME2", TWO)):
            health = json.loads(recorded("smartctl/trixie/nvme"))
            health |= {"serial_number": name, "temperature": {"current": 31}}
            health["nvme_smart_health_information_log"] |= {"temperature": 31, "available_spare": 100}
            world.say(commands.smart(f"/dev/disk/by-id/{disk}", None), json.dumps(health))
        for path, content in WELL.items():
            (root / "host" / path).parent.mkdir(parents=True, exist_ok=True)
            (root / "host" / path).write_text(content)
        self.programs = FakePrograms(root / "bin", "zpool", "zfs", "smartctl", "journalctl")
        for argv, answer in world.answers.items():
            self.programs.answer(" ".join(argv), answer.text, ends_with=answer.exit_code or 0)
        patch.setattr("bkp.tools.process.SAFE_PATH", f"{self.programs.folder}:/usr/bin:/bin")
        patch.setattr("runner.probe.devices.ROOT", root / "host")

    @property
    def config_path(self) -> Path:
        return self.config_file

    def corrupt(self) -> bytes:
        """Damage the largest segment of the repository; return what it was."""
        path = self.segment
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2] + b"damaged!" + whole[len(whole) // 2 + 8 :])
        return whole

    @property
    def segment(self) -> Path:
        return max(self.files_below(self.repository / "data"), key=lambda path: path.stat().st_size)

    def let_pass(self, job: str, target: str) -> None:
        """Have the job be due a second after its last success began, and never since: nobody has started it."""
        due = self.last_success(job, target).started_at.astimezone() + timedelta(seconds=1)
        self.config["jobs"][job] = {"schedule": f"{due:%H:%M:%S}", "grace": "0s"}
        self.write_config()

    def look(self, recording: str) -> None:
        """Have the probe look while zpool says what it said when this was recorded; its last scrub was just now."""
        now = str(int(utc_now().timestamp()))
        scan = {"function": "SCRUB", "start_time": now, "end_time": now, "processed": "0"}
        self.programs.answer(STATUS, pool(recording, **scan))
        done = CliRunner().invoke(cli, ["--config", str(self.config_file), "probe"], standalone_mode=False)
        assert done.exception is None, done.exception
        assert done.return_value == 0, done.output


@contextlib.contextmanager
def full_disk(site: Site) -> Iterator[subprocess.Popen[str]]:
    """Run a night on a file system that is full; it has ended by now. A line to it mends that."""
    arguments = (str(site.template), str(site.root / "small"), BKP_RUN, str(site.config_file))
    process = subprocess.Popen(
        in_own_mounts("bash", "-c", SMALL, "small", *arguments),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said == "ended\n", said + process.stdout.read()
        yield process
    finally:
        process.kill()
        process.communicate()


def quick(text: str) -> str:
    """Return an example or rules with short times: how long things last is judged by the tests of the rules."""
    text = re.sub(r"\b(evaluation_interval|group_wait|group_interval): \w+", r"\1: 1s", text)
    text = text.replace("scrape_interval: 1m", "scrape_interval: 2s")  # a busy machine may not answer within one
    return re.sub(r"\bfor: \w+", "for: 5s", text)


def example_alertmanager(hook: Hook, mailbox: Mailbox) -> str:
    text = quick((RULES.parent / "alertmanager.yml").read_text(encoding="utf-8"))
    text = re.sub(r"  smtp_auth.*\n", "", text)
    text = text.replace("smtp_from:", "smtp_require_tls: false\n  smtp_from:")
    text = text.replace("mail.example.com:587", f"127.0.0.1:{mailbox.port}")
    text = text.replace("https://pager.example.com", hook.url)
    return text.replace("https://dead-man.example.com", hook.url)


def example_prometheus(folder: Path, port: int, *targets: str) -> str:
    (folder / "bkp").mkdir()
    for path in RULES.glob("*.yml"):
        (folder / "bkp" / path.name).write_text(quick(path.read_text(encoding="utf-8")), encoding="utf-8")
    text = quick((RULES.parent / "prometheus.yml").read_text(encoding="utf-8"))
    text = re.sub(r"  # Itself(.*\n)+?\n", "", text)  # its port is not known yet
    return text.replace("127.0.0.1:9093", f"127.0.0.1:{port}").replace("127.0.0.1:10045", ", ".join(targets))


def test_five_faults_are_told_to_webhook_and_mailbox_and_so_is_that_they_are_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_repository(tmp_path / "template", borg_environment(tmp_path))
    (tmp_path / "site").mkdir()
    site = Site(tmp_path / "site", tmp_path / "template", monkeypatch)
    other = tmp_path / "other.yml"
    idle = {"jobs": unscheduled(set(JOBS))}
    (tmp_path / "other").mkdir()
    paths = {"paths": {**site.config["paths"], "state": str(tmp_path / "other")}}
    lone = {key: value for key, value in site.config.items() if key not in {"pools", "disks"}}
    other.write_text(yaml.safe_dump({**lone, **paths, **idle}), encoding="utf-8")

    site.succeed("nightly", "--target", "photos")
    site.let_pass("nightly", "photos")
    site.begin_a_second()  # the nights of the others are after that
    site.succeed("nightly", "--target", "main")
    whole = site.corrupt()
    assert site.run("check", "--target", "main").returncode == 3
    site.look("degraded-removed")

    mailbox, port, other_port = Mailbox(), free_port(), free_port()
    mailbox.start()
    with contextlib.ExitStack() as stack:
        stack.callback(mailbox.stop)
        small = stack.enter_context(full_disk(site))
        hook = stack.enter_context(Hook())
        server = stack.enter_context(running(site))
        others = stack.enter_context(contextlib.ExitStack())
        lonely = others.enter_context(running(Lonely(other), f"127.0.0.1:{other_port}"))
        targets = (f"127.0.0.1:{server.port}", f"127.0.0.1:{other_port}")
        asked = stack.enter_context(prometheus(tmp_path, config=example_prometheus(tmp_path, port, *targets)))
        wait_until(lambda: len(asked.query('up{job="bkp"} == 1')) == 2)
        lonely.stop()
        stack.enter_context(alertmanager(tmp_path, example_alertmanager(hook, mailbox), port))

        def told(status: str) -> set[tuple[str, str | None]]:
            alerts = hook.alerts("/bkp")
            return {
                (each["labels"]["alertname"], each["labels"].get("object"))
                for each in alerts
                if each["status"] == status
            }

        def mailed(status: str) -> set[str]:
            subjects = [str(message["Subject"]) for message in mailbox.messages()]
            return {found[1] for each in subjects if (found := re.match(rf"\[{status}\] (\w+) on 127", each))}

        wait_until(lambda: hook.alerts("/ping/0000"))
        wait_until(lambda: told("firing") >= FAULTS)
        wait_until(lambda: mailed("FIRING") >= {alert for alert, _ in FAULTS})
        assert told("resolved") == set()

        site.segment.write_bytes(whole)
        site.succeed("check", "--target", "main")
        assert small.stdin is not None
        small.stdin.write("\n")
        small.stdin.flush()
        assert small.wait() == 0
        site.succeed("nightly", "--target", "photos")
        site.look("online-scrubbed")
        others.enter_context(running(Lonely(other), f"127.0.0.1:{other_port}"))

        wait_until(lambda: told("resolved") >= FAULTS)
        wait_until(lambda: mailed("RESOLVED") >= {alert for alert, _ in FAULTS})
        # nobody was told of anything else, and nothing is left
        assert told("firing") == told("resolved") == FAULTS
        assert mailed("FIRING") == mailed("RESOLVED") == {alert for alert, _ in FAULTS}
        wait_until(lambda: {row["metric"]["alertname"] for row in asked.query("ALERTS")} == {"Watchdog"})
        assert {each["labels"]["alertname"] for each in hook.alerts("/ping/0000")} == {"Watchdog"}
        assert get(f"{server.url}/-/ready").status == 200

    for alert in hook.alerts("/bkp"):
        assert alert["labels"]["severity"] == "critical"
        assert alert["annotations"] == ALERTS[alert["labels"]["alertname"]].rendered(alert["labels"])
    late = next(text_of(each, "plain") for each in mailbox.messages() if "BkpJobLate" in str(each["Subject"]))
    assert "FIRING (critical): nightly on photos (127.0.0.1:" in late
    assert "https://bkp.example/docs/runbooks/BkpJobLate" in late


class Lonely:
    """Another server, by its configuration: nothing of it has ever run, and nothing is scheduled."""

    def __init__(self, config: Path) -> None:
        self.config_path = config
