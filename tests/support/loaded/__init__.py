"""Programs that are loaded once for each worker and forked for each call: the real borg, bkp-run, bkp-audit.

To load one takes longer than most calls do. What is started is a small client; client.pl says what it passes on. What
ends, limits or watches a process is judged with the program itself: see `World.start` and `World.load_nothing_before`.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_HERE = Path(__file__).parent
# Where the main() of each is.
OURS = {
    "bkp-run": "runner.cli",
    "bkp-audit": "auditor.cli",
    "zfs-night": "tests.support.zfs_night",
    "fake-zfs": "tests.support.fake_zfs",
    "fake-pull": "tests.support.fake_pull",
    "mirror": "tests.support.loaded.mirror",
}


class Answer(NamedTuple):
    """How a call ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def loaded(program: str) -> str:
    """Return the path of a program that is borg, or one of `OURS`, loaded."""
    return f"{_borg() if program == 'borg' else _ours()}/{program}"


@cache
def _borg() -> Path:
    return _serve("/usr/bin/python3", "borg_server", "borg")


@cache
def _ours() -> Path:
    return _serve(sys.executable, "our_server", *OURS)


def _serve(interpreter: str, server: str, *programs: str) -> Path:
    """Return the folder with the clients of a process that has these programs loaded, and ends with this one."""
    folder = tempfile.TemporaryDirectory(prefix="loaded-")
    for program in programs:
        (Path(folder.name) / program).symlink_to(_HERE / "client.pl")
    process = subprocess.Popen(
        [interpreter, "-sE", "-m", f"{__name__}.{server}", folder.name],
        cwd=_HERE.parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "BORG_SELFTEST": "disabled"},
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", server
    atexit.register(folder.cleanup)
    atexit.register(process.communicate)
    return Path(folder.name)


def call_borg(*arguments: str, environment: Mapping[str, str]) -> Answer:
    """Call borg with this environment and nothing else."""
    done = subprocess.run(
        [loaded("borg"), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=dict(environment),
        cwd="/",
        check=False,
    )
    return Answer(done.returncode, *(os.fsdecode(each) for each in (done.stdout, done.stderr)))
