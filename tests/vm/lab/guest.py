"""The interface tests talk to: a virtual machine implements it over ssh, a host that has ZFS itself locally."""

from __future__ import annotations

import shlex
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .errors import GuestError, LabError, WaitError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .recipe import Release

# Emulation on a busy machine can be ten times slower than on a quiet one. These are ends of patience, not measures.
COMMAND_LIMIT = 1800.0
WAIT_LIMIT = 1200.0
_JOURNAL_LIMIT = 120.0  # asked for when a test has failed, perhaps because the guest hangs
_POLL = 0.5


@dataclass(frozen=True)
class Result:
    """What a command in a guest left.

    Attributes:
        command: as it was given to the guest's shell.
        code: its exit code; 128 + n after signal n.
        stdout: decoded as UTF-8, undecodable bytes replaced.
        stderr: likewise.
    """

    command: str
    code: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """Standard output without the blanks around it."""
        return self.stdout.strip()

    @property
    def lines(self) -> list[str]:
        """Standard output by line."""
        return self.stdout.splitlines()

    def __str__(self) -> str:
        return f"`{self.command}` ended with {self.code}\nstdout: {self.stdout.strip()}\nstderr: {self.stderr.strip()}"


class Guest(ABC):
    """A Debian system with ZFS, as root.

    Attributes:
        name: what failure reports call it.
        abilities: what this kind of guest allows beyond a pool: `system` (units, /etc and /root are the test's),
            `power` (be cut off and started again), `clock` (have its clock moved), `disks` (lose one, show SMART).
            Tests name those they want with the `needs` marker.
    """

    abilities: frozenset[str] = frozenset()

    def __init__(self, name: str, release: Release) -> None:
        self.name = name
        self.release = release

    @abstractmethod
    def _execute(self, command: str, stdin: bytes | None, limit: float) -> Result:
        """Run in a root shell, from `/root`."""

    @abstractmethod
    def push(self, source: Path, target: str) -> None:
        """Copy a file or folder of this host to a path in the guest."""

    @abstractmethod
    def pull(self, source: str, target: Path) -> None:
        """Copy a file or folder of the guest to a path on this host."""

    @abstractmethod
    def diagnosis(self) -> list[tuple[str, str]]:
        """Return title and text of what explains a failure: the end of the journal and of the console."""

    def run(
        self, *command: str, check: bool = True, stdin: bytes | None = None, limit: float = COMMAND_LIMIT
    ) -> Result:
        """Run a command: one string is for the shell, several are the arguments of one program.

        Raises:
            GuestError: with its output, when `check` and the exit code is not 0, or after `limit` seconds.
        """
        line = command[0] if len(command) == 1 else shlex.join(command)
        result = self._execute(line, stdin, limit)
        if check and result.code != 0:
            raise GuestError(f"{self.name}: {result}")
        return result

    def script(self, text: str, *, check: bool = True, limit: float = COMMAND_LIMIT) -> Result:
        """Run several lines of bash that end at the first one that fails."""
        return self.run(f"set -euo pipefail\n{text}", check=check, limit=limit)

    def read(self, path: str) -> str:
        """Return a text file."""
        return self.run("cat", "--", path).stdout

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a text file whole, with its mode from the start; folders above it are made."""
        quoted = shlex.quote(path)
        command = f'mkdir -p "$(dirname {quoted})" && rm -f {quoted} && umask 077 && cat > {quoted}'
        self.run(f"{command} && chmod {mode:o} {quoted}", stdin=text.encode("utf-8"))

    def wait_for(
        self, what: str, condition: Callable[[], object], limit: float = WAIT_LIMIT, poll: float = _POLL
    ) -> None:
        """Ask again and again until `condition` returns something true.

        Raises:
            WaitError: it did not within `limit` seconds; `what` says what was waited for.
        """
        deadline = time.monotonic() + limit
        while not condition():
            if time.monotonic() > deadline:
                raise WaitError(f"{self.name}: waited {limit:.0f} s for this, in vain: {what}")
            time.sleep(poll)

    def wait_until(self, what: str, command: str, limit: float = WAIT_LIMIT) -> None:
        """Wait until a shell command in the guest ends with 0."""
        self.wait_for(f"{what} (`{command}`)", lambda: self.run(command, check=False).code == 0, limit)

    def start_unit(self, unit: str, command: str) -> None:
        """Start a shell command as a transient service, which outlives this call and can be sent signals by name."""
        self.run("systemd-run", "--quiet", f"--unit={unit}", "--", "/bin/bash", "-c", command)

    def wait_unit_ended(self, unit: str, limit: float = WAIT_LIMIT) -> None:
        """Wait until a service is no longer active, however it ended."""
        asked = f"systemctl show -P ActiveState {shlex.quote(unit)}"
        self.wait_for(
            f"{unit} to end", lambda: self.run(asked).text not in {"active", "activating", "deactivating"}, limit
        )

    def now(self) -> datetime:
        """Return the guest's clock, in UTC."""
        return datetime.fromtimestamp(float(self.run("date +%s.%N").text), UTC)

    def set_clock(self, moment: datetime) -> None:
        """Set the guest's clock; systemd's calendar timers notice at once.

        Raises:
            LabError: this guest's clock is not the lab's to move, or the moment has no time zone.
        """
        if "clock" not in self.abilities:
            raise LabError(f"the clock of {self.name} is not the lab's to move")
        if moment.tzinfo is None:
            raise LabError("a clock is set to an aware datetime, UTC best")
        self.run(f"date --utc --set=@{moment.timestamp():.3f}")

    def journal(self, lines: int = 200) -> str:
        """Return the end of the journal of the present boot."""
        return self.run(
            f"journalctl --boot --no-pager --quiet --lines={lines}", check=False, limit=_JOURNAL_LIMIT
        ).stdout
