"""A real bkp-exporter on a free loopback port."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pytest

from bkp.clock import utc_now
from tests.support.exporter_world import World, healthy
from tests.support.http import get, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


class Configured(Protocol):
    """What an exporter can be started on."""

    @property
    def config_path(self) -> Path:
        """Return its configuration file."""


@dataclass
class Server:
    """A running exporter."""

    process: subprocess.Popen[str]
    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal; return the exit code and what went to standard error."""
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=30)
        return self.process.returncode, errors


@contextlib.contextmanager
def running(
    world: Configured, listen: str = "127.0.0.1:0", *, ready: bool = True, before: Sequence[str] = ()
) -> Iterator[Server]:
    """Start the exporter on a world, its command after `before`, and end it."""
    command = [*before, sys.executable, "-m", "exporter.cli", "--config", str(world.config_path), "--listen", listen]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        match = re.fullmatch(r"bkp-exporter: serving http://\[?([^\]]+?)\]?:(\d+)/\n", line)
        assert match, line + (process.communicate()[1] if not line else "")
        server = Server(process, match[1], int(match[2]))
        if ready:
            wait_until(lambda: get(f"{server.url}/-/ready").status == 200)
        yield server
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path, now=utc_now())
    healthy(world)
    return world


@pytest.fixture
def server(world: World) -> Iterator[Server]:
    with running(world) as started:
        yield started
