"""The three programs when nobody reads what they print, and when it cannot be written."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.exporter_world import World, healthy

if TYPE_CHECKING:
    from collections.abc import Sequence

BIN = Path(sys.executable).parent
FACTS = Path(__file__).parents[1] / "unit/auditor/golden/facts.json"
CONFIG = "@config"
METRICS = ("bkp-exporter", "--config", CONFIG, "metrics")
PAGE = ("bkp-exporter", "--config", CONFIG, "page")
STATUS = ("bkp-run", "--config", CONFIG, "status")
HISTORY = ("bkp-run", "--config", CONFIG, "history")
AUDIT = ("bkp-audit", "--facts", str(FACTS), "--fail-on", "info")
COMMANDS = [
    METRICS,
    ("bkp-exporter", "--config", CONFIG, "--once"),
    PAGE,
    ("bkp-exporter", "--version"),
    STATUS,
    HISTORY,
    ("bkp-run", "--config", CONFIG, "config", "schema"),
    ("bkp-run", "--help"),
    AUDIT,
    (*AUDIT, "--json"),
    ("bkp-audit", "rules", "list"),
]
each_command = pytest.mark.parametrize("command", COMMANDS, ids=" ".join)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A host with records of which the last night is long ago: its status is not 0."""
    world = World(tmp_path)
    healthy(world)
    return world


def words(command: Sequence[str], world: World) -> list[str]:
    return [str(BIN / command[0]), *(str(world.config_path) if word == CONFIG else word for word in command[1:])]


def into_a_pipe_that_nobody_reads(command: list[str], *, errors_too: bool) -> subprocess.CompletedProcess[bytes]:
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        errors = write_end if errors_too else subprocess.PIPE
        return subprocess.run(command, stdout=write_end, stderr=errors, timeout=120, check=False)
    finally:
        os.close(write_end)


@each_command
def test_a_reader_that_has_gone_changes_no_exit_code_and_is_not_complained_of(
    world: World, command: tuple[str, ...]
) -> None:
    read = subprocess.run(words(command, world), capture_output=True, timeout=120, check=False)
    assert read.stdout
    for errors_too in (False, True):
        unread = into_a_pipe_that_nobody_reads(words(command, world), errors_too=errors_too)
        assert unread.returncode == read.returncode
        assert not unread.stderr


def test_a_verdict_is_that_of_the_records_though_nobody_reads_it(world: World) -> None:
    def unread(command: tuple[str, ...]) -> int:
        return into_a_pipe_that_nobody_reads(words(command, world), errors_too=True).returncode

    assert [unread(command) for command in (STATUS, HISTORY, AUDIT)] == [3, 0, 1]
    world.store.ledger.path.write_bytes(b"broken\n")
    assert unread(HISTORY) == 3


@pytest.mark.parametrize("command", [METRICS, PAGE, (*AUDIT, "--json")], ids=" ".join)
def test_a_reader_that_goes_away_half_way_is_not_complained_of(world: World, command: tuple[str, ...]) -> None:
    line = f"{shlex.join(words(command, world))} | head -c 10 >/dev/null; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (1 if "--json" in command else 0, b"")


@each_command
def test_output_that_cannot_be_written_is_one_clear_error_with_exit_code_3(
    world: World, command: tuple[str, ...]
) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            words(command, world), stdout=full, stderr=subprocess.PIPE, text=True, timeout=120, check=False
        )
    assert done.returncode == 3
    first, remedy = done.stderr.splitlines()
    assert first.startswith(f"{command[0]}: error: ")
    assert first.endswith("cannot write to standard output: No space left on device")
    assert remedy.startswith("  remedy: ")


def test_errors_that_cannot_be_written_leave_the_exit_code_as_it_is(world: World) -> None:
    with Path("/dev/full").open("wb") as full:
        for program in ("bkp-exporter", "bkp-run", "bkp-audit"):
            command = [str(BIN / program), "--config", str(world.root / "nowhere.yml")]
            command += {"bkp-run": ["status"], "bkp-exporter": ["metrics"]}.get(program, [])
            assert subprocess.run(command, stdout=full, stderr=full, timeout=120, check=False).returncode == 2
