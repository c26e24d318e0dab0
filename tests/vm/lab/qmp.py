"""A small client of QEMU's machine protocol (QMP): one JSON object a line over a Unix socket."""

from __future__ import annotations

import json
import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Qmp:
    """One connection, negotiated and ready for `execute`."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._lines = connection.makefile("r", encoding="utf-8")
        self._events: list[dict[str, Any]] = []
        self._receive()
        self.execute("qmp_capabilities")

    def _receive(self) -> dict[str, Any]:
        line = self._lines.readline()
        if not line:
            raise LabError("QEMU closed its control socket")
        message: dict[str, Any] = json.loads(line)
        return message

    def execute(self, command: str, **arguments: object) -> Any:
        """Run one command and return its result; events that arrive meanwhile are kept for `wait_event`.

        Raises:
            LabError: QEMU refused, with its own words.
        """
        request = json.dumps({"execute": command, "arguments": arguments})
        self._socket.sendall(request.encode("utf-8") + b"\n")
        while True:
            answer = self._receive()
            if "error" in answer:
                raise LabError(f"QEMU refused {command} {arguments}: {answer['error'].get('desc')}")
            if "return" in answer:
                return answer["return"]
            self._events.append(answer)

    def wait_event(self, name: str, **data: object) -> None:
        """Wait until QEMU reported the event with this data; the socket's timeout is the limit."""
        while True:
            for event in self._events:
                if event.get("event") == name and data.items() <= event.get("data", {}).items():
                    return
            self._events = [self._receive()]


@contextmanager
def connected(folder: Path, name: str, limit: float) -> Iterator[Qmp]:
    """Connect to the socket `name` in `folder`; waits for one answer last at most `limit` seconds.

    A socket's address holds 107 bytes and a lab may lie deep, so the folder is reached through its descriptor.
    """
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(limit)
            connection.connect(f"/proc/self/fd/{descriptor}/{name}")
            yield Qmp(connection)
    except (OSError, TimeoutError) as error:
        raise LabError(f"no answer from QEMU in {folder}: {error}") from error
    finally:
        os.close(descriptor)
