"""bkp-run in front of a person: on a real terminal, and when that terminal or a reader goes away."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.repositories import prove

BKP_RUN = Path(sys.executable).parent / "bkp-run"
PATIENCE_SECONDS = 120
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    """A source large enough to be met in the middle of its archive; in the end borg checks the repository."""
    source = tmp_path / "source"
    source.mkdir()
    for number in range(5000):
        (source / f"{number:04} [file].bin").write_bytes(os.urandom(4096))
    passphrase = tmp_path / "borg_env"
    passphrase.write_text("export BORG_PASSPHRASE='a terminal test'\n")
    passphrase.chmod(0o600)
    file = tmp_path / "config.yml"
    file.write_text(
        f"""
        schema: 1
        paths: {{state: {tmp_path}/state, log: {tmp_path}/log, lock: {tmp_path}/lock}}
        sources: {{data: {{path: {source}}}}}
        repositories:
          one:
            path: {tmp_path}/repository
            passphrase_file: {passphrase}
            key_export: {tmp_path}/key.txt
            base_dir: {tmp_path}/borg
            sources: [data]
        mail: {{when: never}}
        """
    )
    secrets = {"BORG_BASE_DIR": f"{tmp_path}/borg", "BORG_PASSPHRASE": "a terminal test"}
    command = ["borg", "init", "--encryption", "repokey-blake2", f"{tmp_path}/repository"]
    subprocess.run(command, env=os.environ | secrets, check=True, capture_output=True)
    yield file
    prove(tmp_path / "repository", secrets)


def record(config: Path, job: str = "nightly") -> dict[str, object]:
    try:
        found = json.loads((config.parent / f"state/jobs/{job}/one/latest.json").read_bytes())
    except FileNotFoundError:
        return {"outcome": None, "steps": []}
    assert isinstance(found, dict)
    return found


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.005)


def on_terminal(config: Path, *arguments: str, columns: int = 80, **variables: str) -> tuple[int, int]:
    """Start bkp-run on a terminal of its own, as its session's leader; return its pid and the terminal's other end."""
    pid, terminal = pty.fork()
    if pid == 0:
        size = {"COLUMNS": str(columns), "TERM": "xterm-256color"}
        os.execve(BKP_RUN, ["bkp-run", "-c", str(config), *arguments], os.environ | size | variables)  # noqa: S606
    return pid, terminal


def read_all(terminal: int) -> str:
    """Read what a program writes to its terminal until it has ended."""
    said = bytearray()
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # EIO: the last program on the terminal has ended
            data = b""
        if not data:
            return said.decode()
        said += data


def test_a_terminal_shows_a_bar_that_goes_away_and_a_coloured_end(config: Path) -> None:
    pid, terminal = on_terminal(config, "nightly", columns=400)
    said = read_all(terminal)
    os.close(terminal)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert re.search(r"archiving .*\d files .*\[file\]\.bin", ESCAPE.sub("", said))
    assert "nightly of one: \x1b[32msuccess" in said
    # The bar's line is erased before the summary is written.
    assert "\x1b[2K" in said[: said.index("nightly of one:")]


def test_no_color_leaves_the_words_and_takes_the_colours(config: Path) -> None:
    pid, terminal = on_terminal(config, "status", NO_COLOR="1")
    said = read_all(terminal)
    os.close(terminal)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
    assert "\x1b[" not in said
    assert re.search(r"\?  nightly +one +unknown", said)


def test_a_run_whose_terminal_goes_away_is_recorded_as_interrupted(config: Path) -> None:
    pid, terminal = on_terminal(config, "nightly")
    wait_until(lambda: any(step["name"] == "create" for step in record(config)["steps"]))  # type: ignore[attr-defined]

    os.close(terminal)  # as an ssh connection that breaks: SIGHUP, and every write to the terminal fails

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    ended = record(config)
    assert (ended["outcome"], ended["reason"]) == ("interrupted", "interrupted by SIGHUP")


@pytest.mark.parametrize("arguments", [("nightly",), ("nightly", "--json")])
def test_a_reader_that_has_gone_changes_neither_the_run_nor_its_exit_code(
    config: Path, arguments: tuple[str, ...]
) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        process = subprocess.Popen([BKP_RUN, "-c", config, *arguments], stdout=write_end, stderr=write_end)
        assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        os.close(write_end)
    assert record(config)["outcome"] == "success"

    # The same for a run that fails: its exit code must say so although nobody reads.
    kept = (config.parent / "repository/config").rename(config.parent / "config of the repository")
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        process = subprocess.Popen([BKP_RUN, "-c", config, *arguments], stdout=write_end, stderr=write_end)
        assert process.wait(PATIENCE_SECONDS) == 3
    finally:
        os.close(write_end)
    assert record(config)["outcome"] == "failure"
    kept.rename(config.parent / "repository/config")


def test_archives_may_be_listed_to_nobody(config: Path) -> None:
    line = f"{BKP_RUN} -c {config} list | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, timeout=PATIENCE_SECONDS)
    assert (done.returncode, done.stderr) == (0, b"")


def test_ctrl_c_on_the_terminal_ends_the_run_cleanly(config: Path) -> None:
    pid, terminal = on_terminal(config, "nightly")
    wait_until(lambda: any(step["name"] == "create" for step in record(config)["steps"]))  # type: ignore[attr-defined]

    os.write(terminal, b"\x03")
    said = ESCAPE.sub("", read_all(terminal))
    os.close(terminal)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    assert "nightly of one: interrupted" in said
    assert record(config)["reason"] == f"interrupted by {signal.Signals.SIGINT.name}"
