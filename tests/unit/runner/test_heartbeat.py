"""Pings to a service outside: what is asked for, what is told, and that nothing waits or fails for them."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from bkp.config.values import Duration
from bkp.config.watching import Heartbeat as Settings
from runner.heartbeat import Heartbeat

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "canary-0f9c"  # test data


class Service:
    """A service on loopback: it notes what it is asked, and answers with `status`."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.status = 200
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # the library's name
                body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
                service.asked.append((self.path, body))
                self.send_response(service.status)
                if service.status == 302:
                    self.send_header("Location", f"http://127.0.0.1:{service.port}/elsewhere/{SECRET}")
                self.end_headers()

            def log_message(self, *_args: Any) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def service() -> Iterator[Service]:
    found = Service()
    yield found
    found.stop()


def heartbeat(folder: Path, address: str, limit: int = 10) -> Heartbeat:
    path = folder / "address"
    path.write_text(address + "\n", encoding="utf-8")
    return Heartbeat(Settings(timeout=Duration(seconds=limit), address_files={"nightly": str(path)}), "nightly")


@pytest.mark.parametrize(
    ("address", "paths"),
    [
        (f"/ping/{SECRET}", (f"/ping/{SECRET}/start", f"/ping/{SECRET}{{}}")),
        (f"/ping/{SECRET}/", (f"/ping/{SECRET}/start", f"/ping/{SECRET}{{}}")),
        (f"/ping/{SECRET}?create=1", (f"/ping/{SECRET}/start?create=1", f"/ping/{SECRET}{{}}?create=1")),
    ],
)
def test_a_run_says_that_it_begins_and_how_it_ended(
    tmp_path: Path, service: Service, address: str, paths: tuple[str, str]
) -> None:
    for how, word in (("success", ""), ("fail", "/fail"), ("log", "/log")):
        service.asked.clear()
        beat = heartbeat(tmp_path, f"http://127.0.0.1:{service.port}{address}")
        beat.start()
        assert beat.end(how, "nightly of main: success") is None  # type: ignore[arg-type]
        assert service.asked == [(paths[0], ""), (paths[1].format(word), "nightly of main: success")]


def test_who_has_no_address_pings_nobody() -> None:
    beat = Heartbeat(Settings(), "nightly")
    beat.start()
    assert beat.end("success", "") is None


def test_what_goes_wrong_is_said_without_the_address(tmp_path: Path, service: Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    told = [
        heartbeat(tmp_path, f"http://127.0.0.1:{port}/{SECRET}").end("success", ""),
        heartbeat(tmp_path, f"http://{SECRET}.invalid/x").end("success", ""),
        heartbeat(tmp_path, f"file:///etc/{SECRET}").end("success", ""),
        heartbeat(tmp_path, f"https://127.0.0.1/{SECRET} and more").end("success", ""),
        heartbeat(tmp_path, f"http://[{SECRET}/x").end("success", ""),
        Heartbeat(Settings(address_files={"nightly": f"{tmp_path}/none"}), "nightly").end("success", ""),
    ]
    for status in (302, 404, 500):
        service.status = status
        told.append(heartbeat(tmp_path, f"http://127.0.0.1:{service.port}/{SECRET}").end("success", ""))
    assert all(each is not None and each.startswith("the heartbeat of nightly could not be sent: ") for each in told)
    assert all(SECRET not in str(each) for each in told)
    assert all("elsewhere" not in path for path, _ in service.asked), "no redirection is followed"


def test_a_service_that_never_answers_costs_the_time_limit_and_not_more(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        beat = heartbeat(tmp_path, f"http://127.0.0.1:{silent.getsockname()[1]}/{SECRET}", limit=1)
        beat.start()
        why = str(beat.end("success", ""))
    assert "no answer within 1s" in why or "took too long" in why
