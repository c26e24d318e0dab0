"""Saved facts elsewhere: which rules, waivers and time zone they are judged with, and how they are handed over."""

import functools
import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support.loaded import loaded

GOLDEN = Path(__file__).parent / "golden"
AT = ["--at", "2026-01-31T12:00:00Z"]
FACTS = (GOLDEN / "facts.json").read_text(encoding="utf-8")
RULES = ["--rules", str(GOLDEN / "rules")]


def audit(*arguments: str, program: str | None = None, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program or loaded("bkp-audit"), *arguments], capture_output=True, text=True, check=False, timeout=120, **more
    )


def changed(folder: Path, old: str, new: str) -> Path:
    assert old in FACTS
    path = folder / "facts.json"
    path.write_text(FACTS.replace(old, new), encoding="utf-8")
    return path


def test_facts_may_come_from_standard_input() -> None:
    by_name = audit("--facts", str(GOLDEN / "facts.json"), *RULES, *AT, "--json")
    piped = audit("--facts", "-", *RULES, *AT, "--json", input=FACTS)
    assert (piped.returncode, piped.stdout) == (by_name.returncode, by_name.stdout)
    assert piped.returncode == 1


def test_an_error_in_facts_from_standard_input_names_it_and_the_line() -> None:
    done = audit("--facts", "-", *RULES, *AT, input=FACTS.replace('"host.name"', '"host.nam"', 1))
    assert done.returncode == 2
    assert done.stderr.startswith("bkp-audit: error: standard input:")
    assert audit("--facts", "-", *RULES, input=" " * (9 << 20)).stderr.startswith(
        "bkp-audit: error: standard input: is larger than 8 MiB"
    )


@pytest.mark.parametrize("name", ["/dev/stdin", "/proc/self/fd/0"])
def test_another_name_of_standard_input_is_refused_with_the_right_one(name: str) -> None:
    done = audit("--facts", name, *RULES, *AT, input=FACTS)
    assert done.returncode == 2
    assert "remedy: name a regular file, or - for standard input" in done.stderr


NOTES = {
    "config.waiver_file": "note: the host is configured with waivers; name a copy with --waivers to apply them",
    "config.rules_folder": "note: the host is configured with rules of its own; name a copy with --rules to apply them",
}


@pytest.mark.parametrize("fact", NOTES)
def test_what_the_host_would_have_applied_and_its_facts_do_not_hold_is_said(tmp_path: Path, fact: str) -> None:
    entry = json.dumps({"value": True, "source": "test", "collected_at": "2026-01-31T11:58:00Z"})
    path = changed(tmp_path, '"facts": {', f'"facts": {{"{fact}": {entry},')
    given = ["--waivers", str(GOLDEN / "waivers.yml")] if fact == "config.waiver_file" else RULES
    rest = RULES if fact == "config.waiver_file" else []
    assert audit("--facts", str(path), *rest, *AT).stderr == NOTES[fact] + "\n"
    assert audit("--facts", str(path), *rest, *AT, "--quiet").stderr == ""
    assert NOTES[fact] not in audit("--facts", str(path), *rest, *given, *AT).stderr


def test_the_help_says_what_saved_facts_are_judged_with() -> None:
    words = " ".join(audit("run", "--help").stdout.split())
    assert "the rules are those of --rules or the shipped ones, the waivers those of --waivers or none" in words


@pytest.mark.parametrize("zone", ["local", "Mars/Olympus", "", "../../etc/passwd", "Europe"])
def test_a_time_zone_that_is_not_known_here_is_an_error_and_never_taken_for_utc(tmp_path: Path, zone: str) -> None:
    path = changed(tmp_path, '"timezone": "Europe/Berlin"', f'"timezone": {json.dumps(zone)}')
    line = 1 + FACTS[: FACTS.index('"timezone"')].count("\n")
    done = audit("--facts", str(path), *RULES, *AT)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        f"bkp-audit: error: {path}:{line}: timezone: this machine knows no time zone {zone!r}"
    )
    assert "remedy: write the name of the host's zone there" in done.stderr


def test_utc_needs_no_database_of_time_zones(tmp_path: Path) -> None:
    path = changed(tmp_path, '"timezone": "Europe/Berlin"', '"timezone": "UTC"')
    nowhere = functools.partial(
        audit,
        program=str(Path(sys.executable).parent / "bkp-audit"),  # Python looks at PYTHONTZPATH when it starts
        env={"PYTHONTZPATH": "", "PATH": "/nonexistent"},
    )
    assert nowhere("--facts", str(path), *RULES, *AT).returncode == 1
    assert "knows no time zone 'Europe/Berlin'" in nowhere("--facts", "-", *RULES, input=FACTS).stderr


@pytest.fixture
def far_east(tmp_path: Path) -> tuple[list[str], dict[str, str]]:
    """A host whose time zone is a plain copy of a file, fourteen hours ahead; and a waiver with a last day."""
    (tmp_path / "localtime").write_bytes(Path("/usr/share/zoneinfo/Pacific/Kiritimati").read_bytes())
    config = tmp_path / "config.yml"
    config.write_text(
        f"schema: 1\nmail: {{when: never}}\nsources: {{home: {{path: {tmp_path}/home}}}}\n"
        f"audit: {{waivers: {tmp_path}/waivers.yml}}\n"
        f"paths: {{state: {tmp_path}/state}}\n"
        f"repositories: {{main: {{path: {tmp_path}/repo, sources: [home], borg: /nonexistent/borg}}}}\n"
    )
    return ["-c", str(config)], os.environ | {"TZ": f"{tmp_path}/localtime"}


@pytest.mark.parametrize(("days", "state"), [(0, "active"), (-1, "expired")])
def test_a_host_whose_zone_has_no_name_is_judged_in_that_zone(
    far_east: tuple[list[str], dict[str, str]], tmp_path: Path, days: int, state: str
) -> None:
    words, environment = far_east
    expires = (datetime.now(ZoneInfo("Pacific/Kiritimati")) + timedelta(days=days)).date()
    (tmp_path / "waivers.yml").write_text(
        f"schema: 1\nwaivers:\n  - {{rule: KEY-011, approved_by: A, expires: {expires},"
        " justification: until the third place is there}\n"
    )
    done = audit(*words, "--json", env=environment)
    assert [waiver["state"] for waiver in json.loads(done.stdout)["waivers"]] == [state], done.stderr


def test_facts_of_a_host_whose_zone_has_no_name_are_saved_with_a_note(
    far_east: tuple[list[str], dict[str, str]], tmp_path: Path
) -> None:
    words, environment = far_east
    done = audit(*words, "facts", "-o", str(tmp_path / "facts.json"), env=environment)
    assert done.returncode == 0
    assert "note: the time zone of this host has no name" in done.stderr
    assert "knows no time zone 'local'" in audit("--facts", str(tmp_path / "facts.json")).stderr
    named = audit(*words, "facts", "-o", str(tmp_path / "facts.json"), env=environment | {"TZ": "Pacific/Kiritimati"})
    assert "note" not in named.stderr
    assert audit("--facts", str(tmp_path / "facts.json"), "-q").returncode in {1, 3}
