"""The command as people and scripts call it: exit codes, errors, and that saved facts need no host."""

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.loaded import loaded

GOLDEN = Path(__file__).parent / "golden"
ROOT = Path(__file__).resolve().parents[3]
AT = "2026-01-31T12:00:00Z"
SAVED = ["--facts", str(GOLDEN / "facts.json"), "--rules", str(GOLDEN / "rules"), "--at", AT]


def audit(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [loaded("bkp-audit"), *arguments], capture_output=True, text=True, check=False, timeout=120, **more
    )


def refused(*arguments: str) -> str:
    done = audit(*arguments)
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr


def test_help_has_examples_and_the_exit_codes() -> None:
    done = audit("--help")
    assert done.returncode == 0
    for words in ("Examples:", "bkp-audit facts -o facts.json", "Exit codes:", "could not be judged"):
        assert words in done.stdout


CONFIG_CALLS = (
    ["-c", "{}"], ["--config", "{}"], ["--config={}"], ["-c{}"], ["run", "-c", "{}"], ["-c", "{}", "run"],
    ["-c", "{}", "--quiet"], ["--quiet", "-c", "{}"], ["-c", "{}", "facts"], ["facts", "--config", "{}"],
    ["-c", "/other", "run", "-c", "{}"], ["-c", "{}", "rules", "list"],
)  # fmt: skip


@pytest.mark.parametrize("call", CONFIG_CALLS, ids=" ".join)
def test_the_configuration_may_be_named_before_or_after_the_command_as_with_the_other_programs(call: list[str]) -> None:
    words = [word.format("/nowhere/config.yml") for word in call]
    assert "/nowhere/config.yml: no such configuration file" in refused(*words)


def test_the_environment_names_the_configuration_unless_the_call_does() -> None:
    environment = os.environ | {"BKP_CONFIG": "/nowhere/by-variable.yml"}
    for words in ([], ["run"], ["facts"]):
        assert "/nowhere/by-variable.yml" in audit(*words, env=environment).stderr
    assert "/nowhere/named.yml" in audit("-c", "/nowhere/named.yml", "facts", env=environment).stderr
    assert audit(*SAVED, env=environment).returncode == 1, "saved facts need no configuration, and nobody named one"
    assert "BKP_CONFIG" in audit("--help").stdout


def test_the_rules_of_a_named_configuration_are_those_that_are_listed(tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    config.write_text(
        "schema: 1\nsources: {home: {path: /srv}}\nrepositories: {main: {path: /repo, sources: [home]}}\n"
        "mail: {to: root@example.com}\n"
        f"audit: {{rules: {GOLDEN / 'rules'}}}\n"
    )
    assert "GLD-001" in audit("-c", str(config), "rules", "list").stdout
    assert "PRM-001" in audit("rules", "list").stdout


@pytest.mark.parametrize(
    "command", [["run"], ["facts"], ["rules", "lint"], ["rules", "list"], ["rules", "show"], ["rules", "test"]]
)
def test_every_command_has_help_with_an_example(command: list[str]) -> None:
    done = audit(*command, "--help")
    assert done.returncode == 0
    assert "Example" in done.stdout


def test_the_version_is_said() -> None:
    assert audit("--version").stdout.startswith("bkp-audit 0.")


def good_host(folder: Path, **changes: Any) -> list[str]:
    """Return arguments that judge the golden facts with every fault mended, but for `changes`."""
    file = json.loads((GOLDEN / "facts.json").read_text())
    mended: dict[str, Any] = {
        "job.check.main.status": "ok",
        "job.drill.main.status": "ok",
        "dir.log.mode": "0750",
        "borg.repo.main.opens": True,
    }
    for name, value in {**mended, **changes}.items():
        file["facts"][name] = {"value": value, "source": "test", "collected_at": "2026-01-31T11:58:00Z"}
    file["attestations"][0]["bound_to"] = file["facts"]["borg.repo.main.key_fingerprint"]["value"]
    path = folder / "facts.json"
    path.write_text(json.dumps(file))
    return ["--facts", str(path), *SAVED[2:]]


def test_a_clean_host_ends_with_0(tmp_path: Path) -> None:
    done = audit(*good_host(tmp_path))
    assert done.returncode == 0
    assert "IN PART: 6 of 6 rules that apply passed, " in done.stdout
    assert "of the shipped rules are left out" in done.stdout


def test_a_finding_ends_with_1_and_below_fail_on_with_0(tmp_path: Path) -> None:
    arguments = good_host(tmp_path, **{"dir.log.mode": "0777"})
    assert audit(*arguments).returncode == 1
    assert audit(*arguments, "--fail-on", "medium").returncode == 0


def test_what_could_not_be_judged_ends_with_3(tmp_path: Path) -> None:
    done = audit(*SAVED, "--waivers", str(waivers(tmp_path, "GLD-001", "GLD-007")))
    assert done.returncode == 3, done.stdout
    assert "NOT ALL JUDGED" in done.stdout


def waivers(folder: Path, *rules: str) -> Path:
    lines = ["schema: 1", "waivers:"]
    lines += [
        f"  - {{rule: {name}, justification: because of the test it is in, approved_by: A, expires: 2026-03-01}}"
        for name in rules
    ]
    path = folder / "waivers.yml"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_waiving_everything_ends_with_0_and_still_shows_it(tmp_path: Path) -> None:
    done = audit(*SAVED, "--waivers", str(waivers(tmp_path, "GLD-001", "GLD-003", "GLD-004", "GLD-007")))
    assert done.returncode == 0
    assert "FAIL        GLD-001" in done.stdout
    assert "waiver active, through 2026-03-01" in done.stdout
    assert "WAIVED: " in done.stdout
    assert "CLEAN" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["--facts", "/nowhere/facts.json"], "no such facts file"),
        (["--config", "/nowhere/config.yml"], "no such configuration file"),
        (["--config", "/nowhere", "--at", AT], "what is asked of this host now is no evidence of another time"),
        (["--facts", "x", "--config", "y"], "--facts judges saved facts and reads no configuration"),
        ([*SAVED[:2], "--rules", "/nowhere"], "is no folder of rules"),
        ([*SAVED, "--waivers", "/nowhere/w.yml"], "no such waiver file"),
        ([*SAVED, "--fail-on", "severe"], "severe"),
        ([*SAVED, "--html", "/nowhere/report.html"], "its folder is not there"),
        ([*SAVED[:4], "--at", "yesterday"], "--at: found 'yesterday'"),
        ([*SAVED[:4], "--at", "2026-01-31T12:00:00"], "a time with its zone"),
        (["--no-such-option"], "No such option"),
        (["no-such-command"], "No such command"),
        (["rules", "show", "KEY-99"], "no rule is called"),
    ],
)
def test_a_wrong_call_ends_with_2_and_one_clear_error(arguments: list[str], wanted: str) -> None:
    assert wanted in refused(*arguments)


def test_a_broken_rule_ends_with_2_and_judges_nothing(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN / "rules", tmp_path / "rules")
    broken = tmp_path / "rules/GLD-002.yml"
    broken.write_text(broken.read_text().replace('"op"', '"opp"'))
    message = refused("--facts", str(GOLDEN / "facts.json"), "--rules", str(tmp_path / "rules"), "--at", AT)
    assert "GLD-002.yml:" in message
    assert "did you mean 'op'" in message


def test_json_without_a_file_is_the_only_output() -> None:
    done = audit(*SAVED, "--json")
    assert json.loads(done.stdout)["totals"]["rules"] == 7
    assert done.returncode == 1


def test_quiet_says_nothing_but_its_exit_code() -> None:
    done = audit(*SAVED, "--quiet")
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 1)


def test_run_is_the_default_command() -> None:
    assert audit("run", *SAVED).stdout == audit(*SAVED).stdout


def test_a_report_is_replaced_whole_and_closed_to_others(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("the last one")
    audit(*SAVED, "--html", str(target))
    assert target.read_text().startswith("<!DOCTYPE html>")
    assert stat.S_IMODE(target.stat().st_mode) & 0o007 == 0
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


WATCH = """
import os, sys
seen = open(sys.argv[1], "w")
def hook(event, args):
    if event == "open" and isinstance(args[0], str):
        seen.write(f"open {os.path.abspath(args[0])}\\n")
    elif event.split(".")[0] in {"subprocess", "socket", "pty"} or event in {
        "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "os.spawn", "os.system", "os.getxattr"
    }:
        seen.write(f"{event}\\n")
    seen.flush()
sys.argv = ["bkp-audit", *sys.argv[2:]]
sys.addaudithook(hook)
from auditor.cli import main
main()
"""


def test_saved_facts_are_judged_without_the_host(tmp_path: Path) -> None:
    """No process, no network, no file but rules, facts, time zones and Python's own; and an empty environment."""
    shutil.copytree(GOLDEN, tmp_path / "given")
    given = tmp_path / "given"
    arguments = ["--facts", "facts.json", "--rules", "rules", "--at", AT, "--json", "out.json"]
    done = subprocess.run(
        [sys.executable, "-c", WATCH, str(tmp_path / "seen"), *arguments],
        cwd=given,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1, done.stderr
    seen = (tmp_path / "seen").read_text().splitlines()
    opened = {line.removeprefix("open ") for line in seen if line.startswith("open ")}
    assert [line for line in seen if not line.startswith("open ")] == []
    allowed = (
        str(given),
        str(ROOT),
        sys.prefix,
        sys.base_prefix,
        "/usr/share/zoneinfo",
        "/usr/lib/python3",
        "/dev/null",
    )
    assert str(given / "facts.json") in opened
    assert [path for path in sorted(opened) if not path.startswith(allowed)] == []
    assert (given / "out.json").stat().st_size > 1000


def test_rules_list_and_show_tell_about_the_shipped_rules() -> None:
    rows = json.loads(audit("rules", "list", "--json").stdout)
    assert len(rows) >= 20
    shown = audit("rules", "show", "prm-001").stdout
    for words in ("PRM-001", "Why:", "Remedy:", "chmod 0600 FILE", "evidence supporting nist-800-53r5", "(uncertain)"):
        assert words in shown


def test_facts_can_be_listed_without_a_host() -> None:
    done = audit("facts", "--list", env={"PATH": os.environ["PATH"]})
    assert "borg.repo.*.key_fingerprint  (fingerprint)" in done.stdout
