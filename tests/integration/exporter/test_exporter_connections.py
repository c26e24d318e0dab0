"""How many connections are held, for how long, and which of them give way: with real sockets."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from bkp.config.values import ListenAddress
from exporter import server as limits
from exporter.server import ExporterServer
from exporter.web import Fresh
from tests.integration.exporter.conftest import Server
from tests.support.http import get, wait_until


@contextlib.contextmanager
def serving(fresh: Fresh) -> Iterator[ExporterServer]:
    """Serve in this process, where a test can look at the server and hold it up."""
    server = ExporterServer(ListenAddress("127.0.0.1", 0), fresh)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def connected(server: ExporterServer) -> socket.socket:
    return socket.create_connection((server.address.host, server.address.port), timeout=60)


def ask(connection: socket.socket, path: str = "/-/healthy") -> bytes:
    connection.sendall(f"GET {path} HTTP/1.1\r\n\r\n".encode())
    return connection.recv(65536)


def test_an_idle_or_slow_client_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(limits, "IDLE_SECONDS", 0.3)
    with serving(lambda: None) as server:
        for beginning in (b"", b"GET /metr"):
            with connected(server) as connection:
                connection.sendall(beginning)
                assert connection.recv(1000) == b""


def test_when_every_connection_is_idle_the_longest_idle_one_gives_way() -> None:
    with serving(lambda: None) as server, contextlib.ExitStack() as stack:

        def use(connection: socket.socket) -> None:
            assert ask(connection).startswith(b"HTTP/1.1 200")
            # The client may have its answer before the server waits for it again.
            wait_until(lambda: len(server.idle) == limits.MAX_CONNECTIONS)

        held = [stack.enter_context(connected(server)) for _ in range(limits.MAX_CONNECTIONS)]
        wait_until(lambda: len(server.idle) == limits.MAX_CONNECTIONS)
        for connection in held:
            use(connection)
        use(held[0])  # now the second has been idle for longest
        use(stack.enter_context(connected(server)))
        assert held[1].recv(1) == b""
        for connection in (held[0], *held[2:]):
            use(connection)


def test_whoever_holds_idle_connections_keeps_no_scrape_out(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(3 * limits.MAX_CONNECTIONS):
            held = stack.enter_context(socket.create_connection((server.host, server.port), timeout=60))
            assert ask(held).startswith(b"HTTP/1.1 200")
        assert get(f"{server.url}/metrics").status == 200


def test_when_every_connection_is_at_work_another_is_turned_away_and_none_of_them_suffers() -> None:
    at_work = threading.Semaphore(0)
    go_on = threading.Event()

    def slow() -> None:
        at_work.release()
        go_on.wait()

    with serving(slow) as server, contextlib.ExitStack() as stack:
        stack.callback(go_on.set)
        held = [stack.enter_context(connected(server)) for _ in range(limits.MAX_CONNECTIONS)]
        for connection in held:
            connection.sendall(b"GET /-/ready HTTP/1.1\r\n\r\n")
        for _ in held:
            assert at_work.acquire(timeout=60)
        refused = get(f"http://{server.address}/-/healthy")
        assert (refused.status, refused.body) == (503, b"too many connections\n")
        go_on.set()
        for connection in held:
            assert b"no current data" in connection.recv(65536)
        wait_until(lambda: get(f"http://{server.address}/-/healthy").status == 200)
