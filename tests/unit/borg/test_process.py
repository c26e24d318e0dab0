"""Running a real program: its output, its end, its secrets, and nobody left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bkp.errors import BkpError, InterruptedRunError
from bkp.secrets import Secret
from bkp.tools import process
from bkp.tools.process import Command, ProgramMissingError, clean_environment, run


def _sh(script: str, **options: object) -> Command:
    return Command(argv=("/bin/sh", "-c", script), environment=clean_environment(), **options)  # type: ignore[arg-type]


def test_output_exit_code_and_lines_come_back() -> None:
    lines: list[bytes] = []
    done = run(_sh("echo out; echo one >&2; printf two >&2; exit 7"), on_stderr=lines.append)
    assert (done.exit_code, done.stdout, done.timed_out) == (7, b"out\n", False)
    assert lines == [b"one", b"two"]
    assert done.stderr_tail == b"one\ntwo\n"
    assert done.seconds >= 0


def test_a_signal_is_told_as_a_shell_tells_it() -> None:
    assert run(_sh("kill -9 $$")).exit_code == 137


def test_the_environment_is_only_what_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BORG_PASSPHRASE", "leaked")
    monkeypatch.setenv("HOME", "/home/somebody")
    done = run(Command(argv=("/usr/bin/env",), environment={**clean_environment(), "EXTRA": "1"}))
    assert sorted(done.stdout.decode().splitlines()) == [
        "EXTRA=1",
        "HOME=/home/somebody",
        "LC_ALL=C.UTF-8",
        f"PATH={process.SAFE_PATH}",
        "TZ=UTC",
    ]


def test_stdin_is_fed_whole_and_is_empty_otherwise() -> None:
    text = os.urandom(3_000_000)
    assert run(_sh("cat", stdin=text)).stdout == text
    assert run(_sh("cat")).stdout == b""


def test_a_child_that_does_not_read_its_stdin_is_no_error() -> None:
    done = run(_sh("exec 0<&-; sleep 0.1; echo done", stdin=b"x" * 1_000_000))
    assert (done.exit_code, done.stdout) == (0, b"done\n")


def test_both_outputs_may_be_large_at_once() -> None:
    count = [0]

    def hear(_line: bytes) -> None:
        count[0] += 1

    done = run(
        _sh("head -c 20000000 /dev/zero & i=0; while [ $i -lt 20000 ]; do echo line >&2; i=$((i+1)); done; wait"),
        on_stderr=hear,
    )
    assert (len(done.stdout), count[0]) == (20_000_000, 20_000)
    assert len(done.stderr_tail) <= 8192


def test_a_line_without_an_end_comes_in_pieces_of_bounded_size() -> None:
    lines: list[bytes] = []
    run(_sh("head -c 5000000 /dev/zero >&2"), on_stderr=lines.append)
    assert sum(map(len, lines)) == 5_000_000
    assert max(map(len, lines)) < process.MAX_LINE + (1 << 17)


def test_output_without_bounds_ends_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "MAX_OUTPUT", 1 << 20)
    with pytest.raises(BkpError, match="to its standard output"):
        run(_sh("exec cat /dev/zero"))


# ---------------------------------------------------------------- the end of a child


def test_a_child_over_its_time_is_terminated_and_what_it_says_then_is_heard() -> None:
    lines: list[bytes] = []
    done = run(
        _sh("trap 'echo bye >&2; exit 5' TERM; while :; do sleep 0.05; done"), on_stderr=lines.append, timeout=0.5
    )
    assert (done.timed_out, done.exit_code) == (True, 5)
    assert lines == [b"bye"]


def test_a_child_that_ignores_the_request_is_killed_with_all_its_session(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    done = run(_sh(f"trap '' TERM; sleep 600 & echo $! > {pid}; while :; do sleep 0.05; done"), timeout=0.3, grace=0.3)
    assert (done.timed_out, done.exit_code) == (True, 137)
    _wait_until_gone(int(pid.read_text()))


def _wait_until_gone(pid: int) -> None:
    while True:
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":
            return
        time.sleep(0.01)


def test_what_a_child_leaves_in_the_background_is_not_waited_for(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    done = run(_sh(f"sleep 600 & echo $! > {pid}; echo said; echo last words >&2"))
    assert (done.exit_code, done.stdout, done.stderr_tail) == (0, b"said\n", b"last words\n")
    os.kill(int(pid.read_text()), signal.SIGKILL)


def test_a_child_that_closes_its_outputs_and_works_on_still_has_a_time_limit() -> None:
    done = run(_sh("exec >&- 2>&-; exec sleep 600"), timeout=0.3, grace=5)
    assert done.timed_out


def test_an_ending_signal_ends_the_child_first() -> None:
    lines: list[bytes] = []

    def hear(line: bytes) -> None:
        lines.append(line)
        if line == b"ready":
            raise InterruptedRunError("SIGTERM")

    with pytest.raises(InterruptedRunError):
        run(_sh("trap 'echo bye >&2; exit 0' TERM; echo ready >&2; while :; do sleep 0.05; done"), on_stderr=hear)
    assert lines == [b"ready", b"bye"]


def test_a_listener_that_fails_does_not_keep_the_child(tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    def hear(_line: bytes) -> None:
        raise ZeroDivisionError

    script = f"echo $$ > {pid}; trap 'echo more >&2; exit 0' TERM; while :; do echo x >&2; sleep 0.05; done"
    with pytest.raises(ZeroDivisionError):
        run(_sh(script), on_stderr=hear)
    _wait_until_gone(int(pid.read_text()))


def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"from bkp.tools.process import *; run(Command(('/bin/sh', '-c', 'echo $$ > {pid}; exec sleep 600')))",
        ]
    )
    while not pid.exists() or not pid.read_text():
        assert parent.poll() is None
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    _wait_until_gone(int(pid.read_text()))


def test_ctrl_c_at_the_terminal_reaches_the_parent_alone() -> None:
    done = run(_sh("ps -o sid= -p $$"))
    assert int(done.stdout) != os.getsid(0)


# ---------------------------------------------------------------- starting


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(ProgramMissingError, match="/no/such/borg is not installed") as caught:
        run(Command(argv=("/no/such/borg",), environment=clean_environment()))
    assert caught.value.remedy
    # without a slash it is setpriv(1) that looks for it
    done = run(Command(argv=("no-such-borg-at-all",), environment=clean_environment()))
    assert done.exit_code == 127
    assert b"no-such-borg-at-all" in done.stderr_tail


def test_a_program_that_may_not_be_executed_is_named(tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_text("#!/bin/sh\n")
    with pytest.raises(ProgramMissingError, match="not executable"):
        run(Command(argv=(str(path),)))


def test_a_working_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BkpError, match=r"folder .*nowhere is not there"):
        run(_sh("true", cwd=tmp_path / "nowhere"))


# ---------------------------------------------------------------- secrets


def test_the_passphrase_comes_by_a_pipe_and_only_to_that_child() -> None:
    secret = Secret("it's a 'carrot' with ä")
    command = _sh('cat "/dev/fd/$BORG_PASSPHRASE_FD"; tr "\\0" "\\n" < /proc/self/environ >&2', passphrase=secret)
    done = run(command)
    assert done.stdout.decode() == f"{secret.reveal()}\n"
    assert "carrot" not in done.stderr_tail.decode()
    assert "carrot" not in str(command)
    assert "BORG_PASSPHRASE_FD=***" in str(command)
    other = run(_sh("ls -l /proc/self/fd; env"))
    assert b"BORG_PASSPHRASE_FD" not in other.stdout


def test_no_descriptor_is_left_behind() -> None:
    before = sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for command in (_sh("true", passphrase=Secret("x")), _sh("exit 3"), _sh("cat", stdin=b"x")):
        run(command)
    with pytest.raises(ProgramMissingError):
        run(Command(argv=("/no/such/program",), passphrase=Secret("x")))
    assert sorted(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_a_passphrase_that_no_pipe_holds_is_an_error_not_a_hang() -> None:
    with pytest.raises(BkpError, match="longer than a pipe holds"):
        run(_sh("true", passphrase=Secret("x" * (1 << 20))))


def test_open_descriptors_are_kept_only_where_asked(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "lock", os.O_CREAT | os.O_RDWR)
    try:
        kept = run(_sh(f"readlink /proc/self/fd/{descriptor}", keep_open=(descriptor,)))
        assert kept.stdout.decode().strip() == str(tmp_path / "lock")
        assert run(_sh(f"readlink /proc/self/fd/{descriptor}")).exit_code == 1
    finally:
        os.close(descriptor)
