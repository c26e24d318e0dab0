"""The example for Alertmanager, judged by amtool: it is valid, and every alert gets to whom it should."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.alert_rules import ALERTS, RULES
from tests.support.alertmanager import alertmanager
from tests.support.http import wait_until
from tests.support.prometheus import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIG = RULES.parent / "alertmanager.yml"
RECEIVERS = {"critical": "urgent", "warning": "mail", "info": "nobody", "none": "dead-man"}


def amtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["amtool", *arguments], capture_output=True, text=True, check=False)


def test_amtool_finds_nothing_wrong_with_the_example() -> None:
    done = amtool("check-config", str(CONFIG))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 receivers" in done.stdout


@pytest.mark.parametrize(("severity", "receiver"), RECEIVERS.items())
def test_an_alert_of_each_severity_goes_to_whom_it_should(severity: str, receiver: str) -> None:
    for alert in ("Watchdog",) if severity == "none" else ("BkpPoolFull", "BkpExporterDown"):
        labels = [f"alertname={alert}", f"severity={severity}", "instance=vault:10045"]
        done = amtool("config", "routes", "test", f"--config.file={CONFIG}", f"--verify.receivers={receiver}", *labels)
        assert done.returncode == 0, done.stdout + done.stderr


def test_at_night_only_what_can_wait_is_held_back() -> None:
    routes = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["route"]["routes"]
    held = [route["matchers"] for route in routes if "mute_time_intervals" in route]
    assert held == [['severity="warning"']]


def test_what_the_example_names_are_alerts_that_there_are() -> None:
    assert set(re.findall(r"\bBkp[A-Z]\w+", CONFIG.read_text(encoding="utf-8"))) <= set(ALERTS)
    assert {alert.severity for alert in ALERTS.values()} <= {*RECEIVERS, "{{ $labels.severity }}"}


Labels = dict[str, str]


def matching(matchers: list[str]) -> Iterator[Labels]:
    """Yield labels that matchers take, with each value that they name."""
    named = [re.fullmatch(r'(\w+)=~?"(.*)"', each) for each in matchers]
    (match,) = (each for each in named if each)
    for value in match[2].split("|"):
        yield {match[1]: value}


def told(rules: list[dict[str, Any]]) -> Iterator[tuple[Labels, bool]]:
    """Yield alerts, and whether they are hidden: by a rule what is its own, and nothing of another server or thing."""
    for number, rule in enumerate(rules):
        place = {"job": "bkp", "instance": f"server {number}", "object": "pool tank"}
        kept = {name: value for name, value in place.items() if name in rule["equal"]}
        fires = {"alertname": "BkpPoolFull", "severity": "critical"}
        for source in matching(rule["source_matchers"]):
            yield fires | kept | source, False
        for target in matching(rule["target_matchers"]):
            yield fires | kept | target, True
            for name, value in kept.items():
                if name != "job":
                    yield fires | kept | target | {name: f"another {value}"}, False


def test_the_example_hides_what_follows_from_another_alert_and_nothing_else(tmp_path: Path) -> None:
    config = CONFIG.read_text(encoding="utf-8")
    wanted = [*told(yaml.safe_load(config)["inhibit_rules"]), ({"alertname": "Watchdog", "severity": "none"}, False)]
    config = re.sub(r"https://[\w.-]+\.example\.com", "http://127.0.0.1:9", config)  # nobody is to be told
    config = config.replace("mail.example.com:587", "127.0.0.1:9")
    with alertmanager(tmp_path, config, free_port()) as url:
        at = f"--alertmanager.url={url}"
        for labels, _ in wanted:
            added = amtool(at, "alert", "add", *(f"{name}={json.dumps(text)}" for name, text in labels.items()))
            assert added.returncode == 0, added.stderr

        def hidden() -> dict[str, bool]:
            found = json.loads(amtool(at, "alert", "query", "--inhibited", "--active", "--output=json").stdout)
            return {_key(each["labels"]): bool(each["status"]["inhibitedBy"]) for each in found}

        wait_until(lambda: len(hidden()) == len(wanted))
        wait_until(lambda: hidden() == {_key(labels): is_hidden for labels, is_hidden in wanted})


def _key(labels: Labels) -> str:
    return json.dumps(labels, sort_keys=True)
