"""A process is alive if that very one runs: not another with its number, not its corpse, not one of another boot."""

import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from bkp.liveness import boot_id, is_alive, this_process
from bkp.state.records import Process
from tests.unit.core.support import run_unprivileged

BOOT = "3ac1e5f0-0000-4000-8000-000000000001"
STAT = "{pid} ({name}) {state} 1 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 {ticks} 1000 10 18446744073709551615\n"


class FakeProc:
    """A folder that looks like /proc."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "sys/kernel/random").mkdir(parents=True)
        (root / "sys/kernel/random/boot_id").write_text(f"{BOOT}\n")
        self.add(1, ticks=1)

    def add(self, pid: int, *, ticks: int, name: str = "borg", state: str = "S") -> None:
        (self.root / str(pid)).mkdir()
        (self.root / str(pid) / "stat").write_text(STAT.format(pid=pid, name=name, state=state, ticks=ticks))


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    return FakeProc(tmp_path / "proc")


def process(pid: int = 77, ticks: int = 500, boot: str = BOOT) -> Process:
    return Process(pid=pid, started_ticks=ticks, boot_id=boot)


def test_the_same_number_start_and_boot_are_the_same_process(proc: FakeProc) -> None:
    proc.add(77, ticks=500)
    assert is_alive(process(), proc.root) is True


def test_a_number_used_again_is_another_process(proc: FakeProc) -> None:
    proc.add(77, ticks=501)
    assert is_alive(process(), proc.root) is False


def test_a_process_of_another_boot_is_dead_even_if_number_and_start_agree(proc: FakeProc) -> None:
    proc.add(77, ticks=500)
    assert is_alive(process(boot="another"), proc.root) is False


def test_a_number_that_nobody_has_is_dead(proc: FakeProc) -> None:
    assert is_alive(process(), proc.root) is False


@pytest.mark.parametrize("state", ["Z", "X"])
def test_a_corpse_is_dead(proc: FakeProc, state: str) -> None:
    proc.add(77, ticks=500, state=state)
    assert is_alive(process(), proc.root) is False


@pytest.mark.parametrize("state", ["R", "S", "D", "T", "t", "I"])
def test_a_sleeping_waiting_or_stopped_process_is_alive(proc: FakeProc, state: str) -> None:
    proc.add(77, ticks=500, state=state)
    assert is_alive(process(), proc.root) is True


@pytest.mark.parametrize("name", ["a b", "a) S 1", "((", ")", "ü\udcff"])
def test_a_commands_odd_name_misleads_nobody(proc: FakeProc, name: str) -> None:
    proc.add(77, ticks=500, name=name.encode("utf-8", "replace").decode())
    assert is_alive(process(), proc.root) is True


def test_where_other_processes_are_hidden_nothing_is_known(proc: FakeProc) -> None:
    """hidepid=2, or ProtectProc=invisible in the exporter's unit: not even process 1 shows."""
    (proc.root / "1/stat").unlink()
    (proc.root / "1").rmdir()
    assert is_alive(process(), proc.root) is None
    assert is_alive(process(boot="another"), proc.root) is False


@pytest.mark.parametrize("content", ["", "77", "77 (x)", "77 (x) S 1 2", "77 (x) S" + " x" * 30])
def test_an_unreadable_entry_is_not_known_to_be_dead(proc: FakeProc, content: str) -> None:
    proc.add(77, ticks=500)
    (proc.root / "77/stat").write_text(content)
    assert is_alive(process(), proc.root) is None


def test_without_proc_nothing_is_known(tmp_path: Path) -> None:
    assert is_alive(process(), tmp_path / "absent") is None


@pytest.mark.parametrize("pid", [-1, 0, 2**70])
def test_a_damaged_record_names_no_living_process(proc: FakeProc, pid: int) -> None:
    assert is_alive(process(pid=pid), proc.root) is False


def test_this_process_is_alive_and_another_start_of_it_is_not() -> None:
    me = this_process()
    assert me.pid == os.getpid()
    assert me.boot_id == boot_id()
    assert me.started_ticks > 0
    assert is_alive(me) is True
    assert is_alive(msgspec.structs.replace(me, started_ticks=me.started_ticks + 1)) is False
    assert is_alive(msgspec.structs.replace(me, boot_id="another")) is False


def real_ticks(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def test_a_real_child_is_alive_then_a_corpse_then_gone() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        known = Process(pid=child.pid, started_ticks=real_ticks(child.pid), boot_id=boot_id())
        assert is_alive(known) is True
        child.kill()
        while Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            time.sleep(0.005)
        assert is_alive(known) is False
        child.wait()
        assert is_alive(known) is False


def test_an_unprivileged_reader_sees_a_process_of_root_alive(tmp_path: Path) -> None:
    me = this_process()
    code = f"from bkp.liveness import is_alive\nfrom bkp.state.records import Process\nprint(is_alive({me!r}))"
    assert run_unprivileged(tmp_path, code).strip() in {"True", "None"}  # None where the host hides processes
