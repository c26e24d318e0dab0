"""Programs that replay outputs: real executables for the start of PATH.

Each prints what belongs to its command line and notes each call with its locale. A call without an answer ends with 1.
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
words = [os.path.basename(__file__), *sys.argv[1:]]
with open(os.path.join(here, "calls"), "a") as calls:
    calls.write(json.dumps([words, os.environ.get("LC_ALL")]) + chr(10))
answers = json.load(open(os.path.join(here, "answers.json")))
answer = answers.get(" ".join(words), {{"stdout": "", "stderr": "no answer", "exit": 1, "seconds": 0}})
if answer.get("keep"):
    with open(os.path.join(here, "kept"), "w") as kept:
        kept.write(open(answer["keep"]).read())
time.sleep(answer["seconds"])
if answer.get("then"):
    with open(os.path.join(here, "answers.json"), "w") as file:
        json.dump({{**answers, **answer["then"]}}, file)
sys.stdout.write(answer["stdout"])
sys.stderr.write(answer["stderr"])
sys.exit(answer["exit"])
"""


class FakePrograms:
    """A folder with programs, their answers and the calls they had."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.folder = folder
        folder.mkdir()
        for name in names:
            (folder / name).write_text(_PROGRAM)
            (folder / name).chmod(0o755)
        self._answers: dict[str, dict[str, object]] = {}
        self._write()

    def answer(
        self,
        command: str,
        stdout: str,
        *,
        ends_with: int = 0,
        seconds: float = 0,
        stderr: str = "",
        then: dict[str, str] | None = None,
        keep: Path | None = None,
    ) -> None:
        """Say what a command prints, how it ends, after how long, and `then` what other commands print from now on.

        The content that the file `keep` has at that moment is what `kept` returns.
        """
        self._answers = json.loads((self.folder / "answers.json").read_text())
        self._answers[command] = {"stdout": stdout, "stderr": stderr, "exit": ends_with, "seconds": seconds}
        if then:
            self._answers[command]["then"] = {
                other: {"stdout": text, "stderr": "", "exit": 0, "seconds": 0} for other, text in then.items()
            }
        if keep is not None:
            self._answers[command]["keep"] = str(keep)
        self._write()

    def kept(self) -> str:
        """Return what the file to `keep` held when the command was called."""
        return (self.folder / "kept").read_text()

    def _write(self) -> None:
        (self.folder / "answers.json").write_text(json.dumps(self._answers))

    def calls(self) -> list[tuple[str, str | None]]:
        """Return each call's command line and its LC_ALL."""
        lines = (self.folder / "calls").read_text().splitlines() if (self.folder / "calls").exists() else []
        return [(" ".join(words), locale) for words, locale in map(json.loads, lines)]
