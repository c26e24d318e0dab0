"""A plain HTTP client for loopback, and waiting for a condition."""

from __future__ import annotations

import http.client
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PATIENCE = 60.0  # how long a condition may take on a busy machine before the test gives up


@dataclass
class Response:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def get(url: str, headers: Mapping[str, str] | None = None, *, method: str = "GET") -> Response:
    """Make one request on a connection of its own."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
    try:
        connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), headers=dict(headers or {}))
        answer = connection.getresponse()
        return Response(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until the condition holds; fail when it does not within `PATIENCE`."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            if condition():
                return
            problem: Exception | None = None
        except (OSError, http.client.HTTPException) as exc:
            problem = exc
        if time.monotonic() > end:
            raise TimeoutError(f"it did not become true within {PATIENCE:.0f} s") from problem
        time.sleep(0.05)
