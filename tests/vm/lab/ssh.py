"""One ssh connection per machine, shared by every command: a handshake takes seconds under emulation."""

from __future__ import annotations

import socket
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from .errors import GuestError
from .guest import Result

if TYPE_CHECKING:
    from pathlib import Path

_CONTROL = "ssh"
_CONNECT_LIMIT = 120.0
_GREETING = b"SSH-"


def greets(port: int, patience: float) -> bool:
    """Say whether an ssh server at a loopback port greets within `patience` seconds.

    Asked before ssh is started. QEMU takes a connection at once and passes it on when the guest answers. While the
    guest has no network, it asks again at growing intervals: a connection made early in a boot was answered seconds
    after sshd listened. A new connection asks at once.
    """
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), patience) as connection:
        return connection.recv(len(_GREETING)) == _GREETING
    return False


class Ssh:
    """The way into one machine; its folder is the working directory of each ssh, so that its socket's path is short."""

    def __init__(self, folder: Path, key: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        self._options = [
            *("-F", "none", "-i", str(key), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"),
            # The machine was made a minute ago and listens on loopback: there is no identity to remember.
            *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"),
            *("-o", f"ControlPath={_CONTROL}"),
        ]
        self._master: subprocess.Popen[bytes] | None = None

    @property
    def command(self) -> list[str]:
        """The command a person types to get in."""
        options = [*self._options[:-2], "-p", str(self._port)]
        return ["ssh", *options, "root@127.0.0.1"]

    @property
    def copy_options(self) -> list[str]:
        """The options scp needs; it runs in the machine's folder too."""
        return [*self._options, "-P", str(self._port)]

    def connected(self) -> bool:
        """Say whether the shared connection stands."""
        command = ["ssh", *self._options, "-O", "check", "root@127.0.0.1"]
        return subprocess.run(command, cwd=self._folder, capture_output=True).returncode == 0

    def connect(self) -> bool:
        """Try once to open the shared connection; say whether it stands."""
        if self.connected():
            return True
        self.close()
        command = ["ssh", *self._options, "-M", "-N", "-p", str(self._port)]
        command += ["-o", f"ConnectTimeout={_CONNECT_LIMIT:.0f}"]
        # A guest under load may be silent for minutes; one that is gone is noticed by its QEMU's end.
        command += ["-o", "ServerAliveInterval=30", "-o", "ServerAliveCountMax=20", "root@127.0.0.1"]
        self._master = subprocess.Popen(
            command,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 2 * _CONNECT_LIMIT
        while self._master.poll() is None and time.monotonic() < deadline:
            if self.connected():
                return True
            time.sleep(0.25)
        self.close()
        return False

    def run(self, command: str, stdin: bytes | None, limit: float) -> Result:
        """Run a command in root's shell of the guest.

        Raises:
            GuestError: the connection failed (ssh's own 255), or the limit was reached.
        """
        argv = ["ssh", *self._options, "-o", "ControlMaster=no", "-p", str(self._port), "root@127.0.0.1", command]
        try:
            done = subprocess.run(argv, cwd=self._folder, capture_output=True, timeout=limit, input=stdin or b"")
        except subprocess.TimeoutExpired as error:
            raise GuestError(f"`{command}` did not end within {limit:.0f} s") from error
        result = Result(command, done.returncode, _text(done.stdout), _text(done.stderr))
        # 255 is ssh's own failure, but a guest's program may end with it too: then the connection still stands.
        if result.code == 255 and not self.connected():
            raise GuestError(f"the connection was lost during `{command}`: {result.stderr.strip()}")
        return result

    def close(self) -> None:
        """End the shared connection."""
        master, self._master = self._master, None
        if master is not None:
            master.kill()
            master.wait()
        (self._folder / _CONTROL).unlink(missing_ok=True)


def _text(output: bytes) -> str:
    return output.decode("utf-8", "replace")
