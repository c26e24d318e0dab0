"""The real server, over real sockets."""

import gzip
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bkp.state.fields import Outcome
from tests.integration.exporter.conftest import Server, running
from tests.support.exporter_world import World, every_status, make_run
from tests.support.exposition import openmetrics_series, text_series
from tests.support.http import get, wait_until
from tests.support.observed_world import observed_badly


def raw(server: Server, request: bytes) -> bytes:
    """Send bytes and read until the server closes the connection."""
    with socket.create_connection((server.host, server.port), timeout=60) as connection:
        connection.sendall(request)
        received = b""
        while piece := connection.recv(65536):
            received += piece
    return received


def test_a_scrape_gives_what_promtool_finds_no_fault_with(server: Server) -> None:
    scraped = get(f"{server.url}/metrics")
    assert scraped.status == 200
    checked = subprocess.run(["promtool", "check", "metrics"], input=scraped.body, capture_output=True)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


@pytest.mark.parametrize("scene", ["empty", "every status", "pools and disks in trouble"])
def test_promtool_finds_no_fault_with_any_scene(scene: str, tmp_path: Path) -> None:
    world = World(tmp_path, ("main", "photos", "mirror"))
    if scene == "every status":
        every_status(world)
    elif scene != "empty":
        observed_badly(world)
    with running(world) as server:
        body = get(f"{server.url}/metrics").body
    checked = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_openmetrics_is_parsed_by_the_client_library_and_says_the_same_as_the_text(server: Server) -> None:
    packed = get(
        f"{server.url}/metrics", {"Accept": "application/openmetrics-text;version=1.0.0", "Accept-Encoding": "gzip"}
    )
    assert packed.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert packed.headers["Content-Encoding"] == "gzip"
    found = openmetrics_series(gzip.decompress(packed.body))
    assert found.keys() == text_series(get(f"{server.url}/metrics").body).keys()


def test_the_page_and_the_other_paths(server: Server) -> None:
    page = get(f"{server.url}/")
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert b"Backups of vault" in page.body
    assert get(f"{server.url}/-/healthy").body == b"healthy\n"
    assert get(f"{server.url}/nowhere").status == 404
    assert get(f"{server.url}/metrics", method="POST").status == 405
    assert get(f"{server.url}/metrics", method="BREW").headers["Allow"] == "GET, HEAD"


def test_a_request_may_name_the_whole_address(server: Server) -> None:
    """As a client does that takes the exporter for a proxy; RFC 9112, 3.2.2, wants every server to accept it."""
    answered = raw(server, b"GET http://vault.example/metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answered.startswith(b"HTTP/1.1 200 ")
    assert b"bkp_job_status{" in answered


def test_head_has_the_headers_of_get_and_no_body(server: Server) -> None:
    for path in ("/", "/-/healthy"):
        head, whole = get(f"{server.url}{path}", method="HEAD"), get(f"{server.url}{path}")
        assert head.status == 200
        assert head.body == b""
        assert head.headers["Content-Length"] == str(len(whole.body))


def test_many_requests_share_a_connection(server: Server) -> None:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
    for _ in range(20):
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.read()
        assert answer.getheader("Connection") is None
    connection.close()


def test_no_answer_names_python_or_a_version(server: Server) -> None:
    for request in (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
        received = raw(server, request)
        assert b"Server: bkp-exporter\r\n" in received
        assert b"Python" not in received.partition(b"\r\n\r\n")[0]


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"\x00\xff\xfe\r\n\r\n", b"400"),
        (b"GET\r\n\r\n", b"400"),
        (b"GET <script>alert(1)</script> x y HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/2.0\r\n\r\n", b"505"),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", b"431"),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nx: " + b"a" * 70_000 + b"\r\n\r\n", b"431"),
        (b"GET /nowhere HTTP/1.0\r\n\r\n", b"404"),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nGET /", b"405"),
        (b"POST /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"405"),
    ],
)
def test_a_bad_request_gets_a_plain_answer_that_repeats_none_of_it_and_is_the_last_on_its_connection(
    server: Server, request_bytes: bytes, status: bytes
) -> None:
    with socket.create_connection((server.host, server.port), timeout=60) as connection:
        connection.sendall(request_bytes)
        received = b""
        try:
            while piece := connection.recv(65536):
                received += piece
        except ConnectionResetError:  # the server closed before it had read all of a request that is too large
            pass
    assert received.startswith(b"HTTP/1.1 " + status)
    assert received.count(b"HTTP/1.1 ") == 1
    assert b"script" not in received
    assert get(f"{server.url}/-/ready").status == 200


def test_scrapes_during_rendering_are_each_whole_and_none_fails(server: Server, world: World) -> None:
    stop = threading.Event()
    seen: set[float] = set()

    def scrape(number: int) -> int:
        count = 0
        headers = {"Accept": "application/openmetrics-text;version=1.0.0"} if number % 2 else {}
        read = openmetrics_series if number % 2 else text_series
        while not stop.is_set():
            answer = get(f"{server.url}/metrics", headers)
            assert answer.status == 200
            series = read(answer.body)
            assert sum(name == "bkp_job_info" and ("job_name", "drill") in labels for name, labels in series) == 1
            seen.add(series["bkp_history_lines", frozenset()])
            count += 1
        return count

    with ThreadPoolExecutor(4) as pool:
        scrapers = [pool.submit(scrape, number) for number in range(4)]
        try:
            for number in range(10):
                world.record(make_run("check", f"23 08:{number:02d}", Outcome.SUCCESS))
                os.kill(server.process.pid, signal.SIGHUP)
                wait_until(lambda lines=7.0 + number: lines in seen)  # type: ignore[misc]
        finally:
            stop.set()
        assert sum(scraper.result() for scraper in scrapers) >= 10
    assert len(seen) >= 10


def test_a_damaged_record_shows_up_in_the_running_server_and_nothing_else_goes(server: Server, world: World) -> None:
    before = text_series(get(f"{server.url}/metrics").body).keys()
    world.path("check", "latest").write_bytes(b'{"schema": 1')
    unreadable = ("bkp_state_file_unreadable", frozenset({("file", "jobs/check/main/latest.json")}))
    wait_until(lambda: text_series(get(f"{server.url}/metrics").body)[unreadable] == 1)
    after = text_series(get(f"{server.url}/metrics").body).keys()
    gone = {
        name for name, labels in before - after if not labels & {("job_name", "check"), ("object", "check on main")}
    }
    assert gone == {"bkp_state_file_written_timestamp_seconds"}


def test_a_configuration_that_goes_away_leaves_the_server_serving(server: Server, world: World) -> None:
    world.config_path.unlink()
    wait_until(
        lambda: text_series(get(f"{server.url}/metrics").body)["bkp_config_last_reload_successful", frozenset()] == 0
    )
    assert get(f"{server.url}/-/ready").status == 200
    code, errors = server.stop()
    assert code == 0
    assert errors.count("WARNING: configuration not loaded") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_even_with_a_connection_open(server: Server, number: int) -> None:
    with socket.create_connection((server.host, server.port), timeout=60):
        assert server.stop(number) == (0, "")


def test_a_port_that_is_taken_is_a_clear_error(server: Server, world: World) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "exporter.cli", "--config", world.config_path, "--listen", f"127.0.0.1:{server.port}"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert second.returncode == 3
    assert second.stderr.startswith(
        f"bkp-exporter: error: cannot listen on 127.0.0.1:{server.port}: address already in use"
    )
    assert "--listen" in second.stderr
    assert "Traceback" not in second.stderr


def test_it_listens_on_ipv6_and_where_the_configuration_says(world: World, tmp_path: Path) -> None:
    with running(world, "[::1]:0") as server:
        assert server.host == "::1"
        assert get(f"{server.url}/-/ready").status == 200


AUDITED = """
import json, sys
from exporter.cli import cli
WATCHED = {"open", "subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.fork", "socket.connect"}
log, config = sys.argv[1:]
events = []
sys.addaudithook(lambda name, arguments: events.append((name, str(arguments[0]))) if name in WATCHED else None)
cli.main(["--config", config, "--once"], standalone_mode=False)
cli.main(["--config", config, "page"], standalone_mode=False)
with open(log, "w") as output:
    json.dump(events, output)
"""


def test_it_starts_no_process_opens_no_repository_and_reads_no_secret(world: World, tmp_path: Path) -> None:
    secret = tmp_path / "borg_env"
    secret.write_text("export BORG_PASSPHRASE='canary'\n", encoding="utf-8")
    text = world.config_path.read_text(encoding="utf-8")
    text = text.replace("    sources:", f"    passphrase_file: {secret}\n    sources:", 1)
    world.config_path.write_text(text, encoding="utf-8")
    log = tmp_path / "audit.json"
    done = subprocess.run(
        [sys.executable, "-c", AUDITED, str(log), str(world.config_path)], capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    events = json.loads(log.read_text(encoding="utf-8"))
    assert {name for name, _ in events} == {"open"}
    opened = {path for _, path in events}
    assert str(world.config_path) in opened
    assert str(secret) not in opened
    assert not [path for path in opened if path.startswith("/tank")]
    assert b"canary" not in done.stdout


def test_a_signal_at_any_moment_after_the_address_is_printed_ends_it(world: World) -> None:
    """A handler that sets an Event hung for good when it came as the main thread began to wait for that Event."""
    for step in range(12):
        with running(world, ready=False) as server:
            time.sleep(step * 0.03)
            assert server.stop(signal.SIGTERM) == (0, "")
