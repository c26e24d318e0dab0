"""The example for Alertmanager, judged by amtool: it is valid, and every alert gets to whom it should."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.support.alert_rules import ALERTS, RULES

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


def test_what_the_example_names_are_alerts_that_there_are() -> None:
    assert set(re.findall(r"\bBkp[A-Z]\w+", CONFIG.read_text(encoding="utf-8"))) <= set(ALERTS)
    assert {alert.severity for alert in ALERTS.values()} <= {*RECEIVERS, "{{ $labels.severity }}"}
