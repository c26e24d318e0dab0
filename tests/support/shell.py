"""A shell in a network and a file system of its own, for pages that say what to type as root."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from typing import TYPE_CHECKING

from tests.support.http import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_END = "-- ended with"
_APART = ("--mount", "--propagation", "private", "--net", "--pid", "--mount-proc", "--fork", "--kill-child")
# Loopback, with all its ports free; and folders whose changes go into a tmpfs that dies with the shell.
_OWN = """\
ip link set lo up
mount -t tmpfs own {scratch}
for folder in {folders}; do
    mkdir -p {scratch}/upper$folder {scratch}/work$folder
    mount -t overlay own -o lowerdir=$folder,upperdir={scratch}/upper$folder,workdir={scratch}/work$folder $folder
done
"""


def typed(page: str) -> list[str]:
    """Return what a page says is to be typed: each line that is indented by four blanks."""
    return [line[4:] for line in page.splitlines() if line.startswith("    ") and line.strip()]


class OwnShell:
    """A bash that goes on from command to command. Whatever it has started ends with it."""

    def __init__(self, scratch: Path, path: Iterable[Path | str], folders: Iterable[str]) -> None:
        scratch.mkdir()
        self._process = subprocess.Popen(
            ["unshare", *_APART, "--", "bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={"PATH": ":".join(map(str, path)), "HOME": str(scratch), "LC_ALL": "C.UTF-8"},
        )
        self.run(_OWN.format(scratch=shlex.quote(str(scratch)), folders=" ".join(folders)))

    def run(self, command: str) -> str:
        """Run a command as typed; return what it prints. Fail where it fails."""
        code, said = self._type(command)
        assert code == 0, f"{command}\n{said}"
        return said

    def until(self, command: str, wanted: str) -> str:
        """Type a command again and again until it prints what matches a pattern."""
        end = time.monotonic() + PATIENCE
        while True:
            code, said = self._type(command)
            if code == 0 and re.search(wanted, said):
                return said
            assert time.monotonic() < end, f"{command}\n{said}"
            time.sleep(0.2)

    def _type(self, command: str) -> tuple[int, str]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{command}\nprintf '\\n%s %s\\n' '{_END}' $?\n")
        self._process.stdin.flush()
        said: list[str] = []
        for line in self._process.stdout:
            if line.startswith(_END):
                return int(line.removeprefix(_END)), "".join(said)
            said.append(line)
        raise AssertionError(f"{command}: the shell has ended\n{''.join(said)}")

    def __enter__(self) -> OwnShell:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.communicate("exit\n", timeout=PATIENCE)
