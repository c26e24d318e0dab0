"""Five faults at once, from the fault to the phone and back, through the real programs.

A repository is corrupted and borg's own check finds it; the disk of another is full when its night ends; the timer of a
third was stopped days ago; a pool is degraded; the exporter of another server dies. Then all of it is mended.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
from datetime import timedelta
from typing import TYPE_CHECKING

import yaml

from bkp.clock import utc_now
from bkp.jobs import JOBS
from tests.integration.exporter.conftest import running
from tests.support.alert_rules import ALERTS, RULES
from tests.support.alertmanager import Hook, alertmanager
from tests.support.http import get, wait_until
from tests.support.mailbox import Mailbox, text_of
from tests.support.mounts import in_own_mounts
from tests.support.observed import CONFIGURED, LEFT, Observer, a_leaf, a_tree
from tests.support.prometheus import free_port, prometheus
from tests.support.records import a_night, a_repository, a_run, an_archive, roots
from tests.support.runner_world import BKP_RUN, World, make_repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FAULTS = {
    ("BkpJobFailed", "check on main"),
    ("BkpFilesystemFull", "repository small"),
    ("BkpJobLate", "nightly on photos"),
    ("BkpPoolNotOnline", "pool tank"),
    ("BkpExporterDown", None),
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

    def __init__(self, root: Path, template: Path) -> None:
        super().__init__(root, template)
        (root / "small").mkdir()
        (root / "base of small").mkdir()
        small = {"path": str(root / "small/repo"), "base_dir": str(root / "base of small")}
        # the machine's own disk may be as full as it likes
        self.main.update(free_warning=0.0002, free_critical=0.0001)
        self.config["repositories"] |= {
            "small": {**self.main, **small, "free_warning": 0.4, "free_critical": 0.3},
            "photos": {**self.main, "path": str(root / "photos")},
        }
        self.config |= yaml.safe_load(CONFIGURED)
        self.config["jobs"] = unscheduled(set(JOBS) - {"nightly"})
        self.write_config()

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

    def night_of_photos(self, ago: timedelta) -> None:
        """Record a good night as bkp-run does."""
        started = utc_now() - ago
        archive = an_archive(started, roots=roots("docs"))
        facts = a_repository(newest_archive_at=started, archives=1, incomplete_archives=0)
        self.store.write_ended(a_run("nightly", started, target="photos", result=a_night(archive, facts)))

    def look(self, *, degraded: bool) -> None:
        """Write what the probe sees."""
        observer = Observer(self.state, utc_now())
        if degraded:
            gone = a_leaf("ata-RIGHT_02", "102", "REMOVED")
            observer.pool(state="DEGRADED", vdevs=a_tree(LEFT, gone, state="DEGRADED"))
        observer.write()


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


def test_five_faults_are_told_to_webhook_and_mailbox_and_so_is_that_they_are_mended(tmp_path: Path) -> None:
    make_repository(tmp_path / "template", tmp_path)
    (tmp_path / "site").mkdir()
    site = Site(tmp_path / "site", tmp_path / "template")
    other = tmp_path / "other.yml"
    idle = {"jobs": unscheduled(set(JOBS))}
    (tmp_path / "other").mkdir()
    paths = {"paths": {**site.config["paths"], "state": str(tmp_path / "other")}}
    lone = {key: value for key, value in site.config.items() if key not in {"pools", "disks"}}
    other.write_text(yaml.safe_dump({**lone, **paths, **idle}), encoding="utf-8")

    site.succeed("nightly", "--target", "main")
    whole = site.corrupt()
    assert site.run("check", "--target", "main").returncode == 3
    site.night_of_photos(timedelta(days=3))
    site.look(degraded=True)

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
        site.night_of_photos(timedelta(minutes=15))  # it took twelve
        site.look(degraded=False)
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
