"""The programs that tests keep loaded: to its program, and to its caller, a call is as if it had been started."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.loaded import loaded, mirror
from tests.support.mounts import in_own_mounts

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(params=["started", "loaded"])
def start(request: pytest.FixtureRequest) -> Start:
    """Start the same program in both ways: what holds for the one must hold for the other."""
    program = [sys.executable, mirror.__file__] if request.param == "started" else [loaded("mirror")]

    def begin(*arguments: str, before: tuple[str, ...] = (), **options: Any) -> subprocess.Popen[str]:
        wanted: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
        return subprocess.Popen([*before, *program, *arguments], **wanted)

    return begin


def test_it_sees_what_it_was_called_with_and_nothing_else(start: Start, tmp_path: Path) -> None:
    secret = os.memfd_create("secret", 0)
    arguments = ("tell", "", "two words", "--ünïcode=\n", "\udcff")
    environment = {"ONE": "1=1", "EMPTY": "", "LINES": "a\nb", "LC_ALL": "C.UTF-8"}
    ignoring = ("sh", "-c", "trap '' HUP; umask 027; exec \"$@\"", "sh")
    process = start(
        *arguments, before=ignoring, env=environment, cwd=tmp_path, stdin=subprocess.PIPE, pass_fds=(secret,)
    )
    out, err = process.communicate("typed")
    assert (process.returncode, err) == (0, "")
    told = json.loads(out)
    assert told["arguments"] == list(arguments[1:])
    assert told["environment"] == {**environment, "PWD": str(tmp_path)}  # which the shell adds
    assert told["folder"] == str(tmp_path)
    assert told["umask"] == 0o027
    assert told["input"] == "typed"
    assert told["ignored"] == ["SIGHUP"]
    assert told["files"].keys() - {"0", "1", "2"} == {str(secret), *_listing(told)}
    os.close(secret)


def _listing(told: dict[str, Any]) -> set[str]:
    """Return the number of the folder that the program itself reads to tell its files."""
    return {number for number, path in told["files"].items() if path.endswith("/fd")}


def test_it_sees_the_mounts_that_its_caller_sees(start: Start, tmp_path: Path) -> None:
    assert os.geteuid() == 0, "this test mounts: run it as root"
    script = f'mount -t tmpfs mine {tmp_path} && exec "$@"'
    process = start("tell", before=(*in_own_mounts("sh", "-c", script, "sh"),), stdin=subprocess.DEVNULL)
    assert f" {tmp_path} " in json.loads(process.communicate()[0])["mounts"]
    process = start("tell", stdin=subprocess.DEVNULL)
    assert f" {tmp_path} " not in json.loads(process.communicate()[0])["mounts"]


def test_it_is_sent_the_signals_that_its_caller_is_sent(start: Start) -> None:
    process = start("wait")
    assert process.stdout is not None
    process.stdout.readline()
    process.terminate()
    assert process.wait(timeout=30) == 7
    process.communicate()


def test_it_dies_with_its_caller(start: Start) -> None:
    process = start("wait")
    assert process.stdout is not None
    worker = Path("/proc", process.stdout.readline().strip())
    assert worker.exists()
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 30
    while worker.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV], ids=lambda number: number.name)
def test_its_end_by_a_signal_is_its_callers(start: Start, number: signal.Signals) -> None:
    process = start("die", str(int(number)))
    assert process.communicate() == ("", "")
    assert process.returncode == -number


def test_it_ends_only_with_its_last_thread(start: Start) -> None:
    process = start("linger")
    assert process.communicate() == ("the last thread has ended\n", "")
    assert process.returncode == 0


def test_what_it_cannot_say_to_the_end_is_told_by_its_exit_code(start: Start) -> None:
    with Path("/dev/full").open("w") as full:
        process = start("linger", stdout=full, env={"LC_ALL": "C.UTF-8"})
    process.communicate()
    assert process.returncode == 120


def test_a_caller_that_dies_as_it_calls_costs_nobody_else_an_answer() -> None:
    for sent in (b"", b"\0\0", b"\0\0\1\0", b"\0\0\1\0half a call"):
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(Path(loaded("mirror")).with_name("socket")))
            caller.sendall(sent)
    done = subprocess.run([loaded("mirror"), "whatever"], capture_output=True, text=True, check=False)
    assert done.stderr == "it does not know what to do\n"


def test_its_last_words_are_its_callers(start: Start) -> None:
    process = start("whatever")
    assert process.communicate() == ("", "it does not know what to do\n")
    assert process.returncode == 1
