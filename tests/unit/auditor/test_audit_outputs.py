"""Reports that cannot be written: one true line, the right exit code, and what was judged is not kept back."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.privilege import close_to_us, without_privilege

GOLDEN = Path(__file__).parent / "golden"
PROGRAM = str(Path(sys.executable).parent / "bkp-audit")
SAVED = ["--facts", str(GOLDEN / "facts.json"), "--rules", str(GOLDEN / "rules"), "--at", "2026-01-31T12:00:00Z"]


def audit(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    given: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "check": False} | more
    return subprocess.run(without_privilege(PROGRAM, *arguments), timeout=120, **given)


def one_line(done: subprocess.CompletedProcess[str], code: int) -> str:
    """Return what was said on standard error: one error, its remedy, and nothing untrue beside them."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "nothing was judged" not in done.stderr
    assert "defect" not in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    "words", [["--json", "{}"], ["--html", "{}"], ["run", "--html", "{}"], ["facts", "-o", "{}"]], ids=" ".join
)
def test_a_folder_is_no_place_for_a_report_and_that_is_said_before_anything_is_looked_at(
    tmp_path: Path, words: list[str]
) -> None:
    done = audit("-c", "/nowhere/config.yml", *(word.format(tmp_path) for word in words))
    assert f"'{tmp_path}' is a directory" in one_line(done, 2)


@pytest.mark.parametrize("words", [["--json", "{}/r"], ["--html", "{}/r"], ["facts", "-o", "{}/r"]], ids=" ".join)
def test_a_missing_folder_is_named_before_anything_is_looked_at(words: list[str]) -> None:
    done = audit("-c", "/nowhere/config.yml", *(word.format("/nowhere/reports") for word in words))
    assert "cannot write /nowhere/reports/r: its folder is not there" in one_line(done, 2)


@pytest.mark.parametrize(
    ("html", "report"),
    [("-", "-"), ("-", "/dev/stdout"), ("{}/r", "{}/r"), ("{}/r", "{}/link/./r"), ("{}/link/r", "{}/r")],
)
def test_two_reports_in_one_place_are_refused(tmp_path: Path, html: str, report: str) -> None:
    (tmp_path / "link").symlink_to(".")
    done = audit(*SAVED, "--html", html.format(tmp_path), "--json", report.format(tmp_path))
    assert "two reports are to be written to" in one_line(done, 2)
    assert done.stdout == ""


@pytest.mark.parametrize("option", ["--html", "--json"])
def test_a_full_disk_is_said_and_the_other_reports_are_written(tmp_path: Path, option: str) -> None:
    other = {"--html": "--json", "--json": "--html"}[option]
    done = audit(*SAVED, option, "/dev/full", other, str(tmp_path / "other"))
    said = one_line(done, 3)
    assert said.startswith("bkp-audit: error: cannot write /dev/full: No space left on device\n  remedy: ")
    assert "FINDINGS" in done.stdout
    assert (tmp_path / "other").stat().st_size > 1000


def test_of_two_reports_that_cannot_be_written_both_are_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    close_to_us(closed)
    done = audit(*SAVED, "--html", "/dev/full", "--json", str(closed / "report.json"), "--quiet")
    closed.chmod(0o755)
    said = one_line(done, 3)
    assert "cannot write /dev/full: No space left on device" in said
    assert f"cannot write {closed}/report.json: Permission denied" in said


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "words",
    [SAVED, [*SAVED, "--json"], [*SAVED, "--html", "-"], ["--help"], ["--version"], ["rules", "list"],
     ["rules", "lint"], ["rules", "show", "PRM-001"], ["rules", "test", "-v"], ["facts", "--list"]],
    ids=lambda words: " ".join(words)[-30:],
)  # fmt: skip
def test_a_standard_output_that_takes_nothing_is_said_in_one_line(words: list[str], unbuffered: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = audit(*words, stdout=full, env=os.environ | {"PYTHONUNBUFFERED": unbuffered})
    said = one_line(done, 3)
    assert said.startswith("bkp-audit: error: cannot write to standard output: No space left on device\n  remedy: ")
    assert len(said.splitlines()) == 2


def test_a_closed_standard_output_is_said(tmp_path: Path) -> None:
    words = " ".join([PROGRAM, *SAVED, "--json", ">&-"])
    done = subprocess.run(["sh", "-c", words], capture_output=True, text=True, check=False)
    assert "cannot write to standard output: it is closed" in one_line(done, 3)


def test_a_device_and_a_pipe_are_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        assert audit(*SAVED, "--quiet", "--json", str(pipe)).returncode == 1
        assert reader.stdout is not None
        assert json.loads(reader.stdout.read())["totals"]["rules"] == 7
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert audit(*SAVED, "--quiet", "--json", "/dev/null").returncode == 1
