"""A `smartctl` that replays outputs: a real program for the start of PATH, because pySMART looks for one.

It prints what belongs to its arguments and notes each call with its locale. A call without an answer ends with 1.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_PROGRAM = f"""#!{sys.executable}
import json, os, sys, time
here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "calls"), "a") as calls:
    calls.write(json.dumps([sys.argv[1:], os.environ.get("LC_ALL")]) + chr(10))
answers = json.load(open(os.path.join(here, "answers.json")))
answer = answers.get(" ".join(sys.argv[1:]), {{"stdout": "", "exit": 1, "seconds": 0}})
time.sleep(answer["seconds"])
sys.stdout.write(answer["stdout"])
sys.exit(answer["exit"])
"""


class FakeSmartctl:
    """A folder with the program, its answers and the calls it had."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        program = folder / "smartctl"
        program.write_text(_PROGRAM)
        program.chmod(0o755)
        self._answers: dict[str, dict[str, object]] = {}
        self._write()

    def answer(self, arguments: str, stdout: str, *, ends_with: int = 0, seconds: float = 0) -> None:
        """Say what a call with these arguments prints, how it ends, and after how long."""
        self._answers[arguments] = {"stdout": stdout, "exit": ends_with, "seconds": seconds}
        self._write()

    def _write(self) -> None:
        (self.folder / "answers.json").write_text(json.dumps(self._answers))

    def calls(self) -> list[tuple[str, str | None]]:
        """Return each call's arguments and its LC_ALL."""
        lines = (self.folder / "calls").read_text().splitlines() if (self.folder / "calls").exists() else []
        return [(" ".join(arguments), locale) for arguments, locale in map(json.loads, lines)]
