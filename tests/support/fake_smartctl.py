"""A `smartctl` that replays outputs: a real program, because pySMART looks for one in PATH."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.fake_programs import FakePrograms

if TYPE_CHECKING:
    from pathlib import Path


class FakeSmartctl:
    """A folder with the program, its answers and the calls it had."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._programs = FakePrograms(folder, "smartctl")

    def answer(self, arguments: str, stdout: str, *, ends_with: int = 0, seconds: float = 0) -> None:
        """Say what a call with these arguments prints, how it ends, and after how long."""
        self._programs.answer(f"smartctl {arguments}", stdout, ends_with=ends_with, seconds=seconds)

    def calls(self) -> list[tuple[str, str | None]]:
        """Return each call's arguments and its LC_ALL."""
        return [(command.removeprefix("smartctl").strip(), locale) for command, locale in self._programs.calls()]
