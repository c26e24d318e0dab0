"""Asking the programs of ZFS and smartctl, each under a time limit: no answer is an answer, too.

A pool that lost its disks hangs zpool in the kernel, where even SIGKILL does not end it. So a question that an earlier
look asked, and that still hangs, is not asked again: hanging processes must not pile up.
"""

from __future__ import annotations

import os
import shlex
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bkp.errors import BkpError
from bkp.tools.process import Command, clean_environment, run

if TYPE_CHECKING:
    from collections.abc import Mapping

STUCK_AFTER = 120.0  # seconds; no question of ours is given as much
_SHOWN = 200


@dataclass(frozen=True)
class ToolAnswer:
    """What a program said. `problem` says why there is no answer at all; it is None where the program has ended."""

    argv: tuple[str, ...]
    stdout: bytes = b""
    stderr: str = ""
    exit_code: int | None = None
    problem: str | None = None

    @property
    def source(self) -> str:
        """Return the command as a person would type it."""
        return shlex.join(self.argv)

    @property
    def text(self) -> str:
        """Return standard output as text; bytes that are no UTF-8 are replaced."""
        return self.stdout.decode("utf-8", "replace")

    @property
    def refusal(self) -> str | None:
        """Return why the answer is of no use, in the program's own words; None where it ended with 0."""
        if self.problem is not None or self.exit_code == 0:
            return self.problem
        said = next((line.strip() for line in self.stderr.splitlines() if line.strip()), "")
        return said[:_SHOWN] or f"{self.argv[0]} ended with {self.exit_code} and said nothing"


Ask = Callable[[tuple[str, ...], float], ToolAnswer]


class Asker:
    """Runs programs until a moment of `time.monotonic`. May be used by several threads."""

    def __init__(
        self, until: float, *, environment: Mapping[str, str] | None = None, proc: Path = Path("/proc")
    ) -> None:
        self._until = until
        self._environment = {**clean_environment(), "LC_ALL": "C"} if environment is None else dict(environment)
        self._stuck = stuck_processes(proc)

    def __call__(self, argv: tuple[str, ...], limit: float) -> ToolAnswer:
        """Ask within `limit` seconds. Never raises for anything that a program does."""
        program = shutil.which(argv[0], path=self._environment.get("PATH"))
        if program is None:
            return ToolAnswer(argv, problem=f"{argv[0]} is not installed")
        located = (program, *argv[1:])
        if (pid := self._stuck.get(located)) is not None:
            return ToolAnswer(argv, problem=f"process {pid} hangs since an earlier look with the same question")
        limit = min(limit, self._until - time.monotonic())
        if limit <= 0:
            return ToolAnswer(argv, problem="no time was left to ask")
        try:
            # no grace: whoever only reads loses nothing, and helpers (pySMART's smartctl) must end as well
            ended = run(Command(argv=located, environment=self._environment), timeout=limit, grace=0)
        except BkpError as exc:
            return ToolAnswer(argv, problem=exc.message)
        if ended.timed_out:
            return ToolAnswer(argv, problem=f"{argv[0]} gave no answer within {limit:.0f} s")
        return ToolAnswer(argv, ended.stdout, ended.stderr_tail.decode("utf-8", "replace"), ended.exit_code)


def stuck_processes(proc: Path) -> dict[tuple[str, ...], int]:
    """Return the processes older than `STUCK_AFTER`, by their command line (proc(5))."""
    try:
        uptime = float((proc / "uptime").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return {}
    ticks = os.sysconf("SC_CLK_TCK")
    found = {}
    for folder in proc.glob("[0-9]*"):
        try:
            started = int((folder / "stat").read_text().rpartition(")")[2].split()[19]) / ticks
            words = (folder / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")[:-1]
        except (OSError, ValueError, IndexError):
            continue
        if uptime - started > STUCK_AFTER:
            found[tuple(words)] = int(folder.name)
    return found
