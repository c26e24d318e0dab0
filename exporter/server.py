"""Serves HTTP/1.1 with the standard library's server. Limits connections, the size of requests and waiting times."""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import socket
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from bkp.config.values import ListenAddress
from bkp.errors import BkpError
from exporter.web import Fresh, Response, answer, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

log = logging.getLogger("bkp-exporter")

MAX_CONNECTIONS = 64
MAX_HEAD_BYTES = 32 << 10
HEAD_SECONDS = 10.0  # for a request, from its first byte to its last header
IDLE_SECONDS = 120.0  # between two requests; twice the usual scrape interval, so that Prometheus keeps its connection
SEND_SECONDS = 30.0
CLOSE_SECONDS = 5.0  # for the end of a thread whose idle connection was closed to make room


class ListenError(BkpError):
    """The address cannot be listened on."""


class TooLargeError(Exception):
    """A request's head is larger than `MAX_HEAD_BYTES`."""


class _Idle:
    """The connections that wait for a request. The one that has waited longest is the first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, None] = {}

    def __len__(self) -> int:
        return len(self._connections)

    @contextlib.contextmanager
    def waiting(self, connection: socket.socket) -> Iterator[None]:
        """Count the connection as idle inside the `with` block."""
        with self._lock:
            self._connections[connection] = None
        try:
            yield
        finally:
            with self._lock:
                self._connections.pop(connection, None)

    def close_longest(self) -> bool:
        """Close the connection that has waited longest, which ends its thread. Return False if none waits."""
        with self._lock:
            connection = next(iter(self._connections), None)
            if connection is None:
                return False
            del self._connections[connection]
            with contextlib.suppress(OSError):  # the client has closed it already
                connection.shutdown(socket.SHUT_RDWR)
        return True


class _HeadReader(io.RawIOBase):
    """Reads the head of a request. Limits its size, and the time for the whole of it.

    With a time limit for each read only, a client that sends a byte now and then could hold a connection for hours.
    """

    def __init__(self, connection: socket.socket, idle: _Idle) -> None:
        self._connection = connection
        self._idle = idle
        self._deadline: float | None = None
        self._left = MAX_HEAD_BYTES

    def next_request(self) -> None:
        """Get ready for the next request. Its first byte may take `IDLE_SECONDS`."""
        self._deadline = None
        self._left = MAX_HEAD_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        now = time.monotonic()
        if self._left <= 0:
            raise TooLargeError
        wait = IDLE_SECONDS if self._deadline is None else self._deadline - now
        if wait <= 0:
            raise TimeoutError
        self._connection.settimeout(wait)
        with self._idle.waiting(self._connection) if self._deadline is None else contextlib.nullcontext():
            count = self._connection.recv_into(memoryview(buffer)[: self._left])
        self._left -= count
        if self._deadline is None:
            self._deadline = time.monotonic() + HEAD_SECONDS
        return count


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # otherwise a scrape waits for the client's delayed acknowledgement
    server: ExporterServer
    command: str = ""

    def setup(self) -> None:
        super().setup()
        self._head = _HeadReader(self.connection, self.server.idle)
        self.rfile = io.BufferedReader(self._head)

    def handle_one_request(self) -> None:
        self._head.next_request()
        try:
            super().handle_one_request()
        except TooLargeError:
            self.close_connection = True
            self.send_error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        except (TimeoutError, ConnectionError):
            self.close_connection = True

    def _answer(self) -> None:
        if self.headers.get("Content-Length", "0").strip() != "0" or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # the body is not read, so what follows is not the next request
        self._send(answer(self.command, self.path, _lower(self.headers.items()), self.server.fresh))

    def __getattr__(self, name: str) -> Any:
        """Handle every method: http.server looks up `do_METHOD`, and `web.answer` decides which are allowed."""
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _send(self, what: Response) -> None:
        """Send head and body as one packet where they fit: two would be two wake-ups of the client."""
        headers = {"Server": "bkp-exporter", "Date": self.date_time_string(), **what.all_headers()}
        if self.close_connection:
            headers["Connection"] = "close"
        body = b"" if self.command == "HEAD" else what.body
        self.connection.settimeout(SEND_SECONDS)
        self.connection.sendall(_head(what.status, headers, len(what.body)), socket.MSG_MORE if body else 0)
        if body:
            self.connection.sendall(body)  # sent by itself, because joining it to the head would copy up to a megabyte

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a request that is not valid HTTP. The answer repeats nothing of it."""
        del message, explain
        self.close_connection = True
        status = HTTPStatus(code)
        self._send(plain(status, status.phrase))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's name
        log.debug(format, *args)


def _lower(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers by lower-case name. Several of one name become one list (RFC 9110, section 5.3)."""
    found: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        found[key] = f"{found[key]}, {value}" if key in found else value
    return found


def _head(status: HTTPStatus, headers: Mapping[str, str], length: int) -> bytes:
    lines = [f"HTTP/1.1 {status.value} {status.phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {length}", "", ""]
    return "\r\n".join(lines).encode("latin-1")


_TOO_MANY = plain(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections", {"Retry-After": "5", "Connection": "close"})


class ExporterServer(ThreadingHTTPServer):
    """Serves the snapshot that `fresh` returns. The constructor begins to listen; `address` has the actual port.

    Raises `ListenError` if the address is taken, not one of this host, or not permitted.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, listen: ListenAddress, fresh: Fresh) -> None:
        self.fresh = fresh
        self.idle = _Idle()
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self.address_family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
        try:
            super().__init__((listen.host, listen.port), _Handler)
        except OSError as exc:
            raise _listen_error(listen, exc) from None
        self.address = ListenAddress(listen.host, int(self.server_address[1]))

    def server_bind(self) -> None:
        """Bind. http.server would look up the host's name as well, which nothing here needs."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give the connection a thread. If all are taken, close the longest idle one; if none is idle, answer 503."""
        free = self._slots.acquire(blocking=False)
        if not free and not (self.idle.close_longest() and self._slots.acquire(timeout=CLOSE_SECONDS)):
            with contextlib.suppress(OSError):
                request.settimeout(0)
                request.send(_head(_TOO_MANY.status, _TOO_MANY.all_headers(), len(_TOO_MANY.body)) + _TOO_MANY.body)
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._slots.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what went wrong with a connection. A client that went away is not an error."""
        del request, client_address
        failure = sys.exc_info()[1]
        if not isinstance(failure, ConnectionError | TimeoutError):
            log.error("a request failed", exc_info=failure)


def _listen_error(listen: ListenAddress, exc: OSError) -> ListenError:
    remedies = {
        errno.EADDRINUSE: "another program has it (`ss -ltnp` says which); stop that, or choose another with --listen",
        errno.EADDRNOTAVAIL: "no interface of this host has the address; choose one that `ip addr` shows",
        errno.EACCES: "ports below 1024 need a privilege; choose a higher one with --listen",
    }
    known = exc.errno is not None and exc.errno in remedies
    reason = (exc.strerror or str(exc)).lower()
    return ListenError(
        f"cannot listen on {listen}: {reason}", remedy=remedies[exc.errno or 0] if known else "see exporter.listen"
    )
