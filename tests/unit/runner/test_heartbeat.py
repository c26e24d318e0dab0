"""Pings to a service outside: what is asked for, what is told, and that nothing waits or fails for them."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from bkp.config import load_config
from bkp.config.values import Duration
from bkp.config.watching import Heartbeat as Settings
from bkp.errors import ExitCode, GoesOnError, StateError
from bkp.jobs import SCRUB
from bkp.state.fields import Outcome
from bkp.state.reading import Readable
from bkp.state.store import StateStore, value_of
from bkp.state.watch import read_watch
from runner.cli import cli
from runner.heartbeat import Heartbeat
from runner.jobs import registry
from runner.jobs.model import RunnerJob
from runner.jobs.scrub import job as scrub
from tests.support.records import a_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from runner.lifecycle.context import RunContext

SECRET = "canary-0f9c"  # test data


class Service:
    """A service on loopback: it notes what it is asked, and answers with `status`."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.status = 200
        self.says = b"OK"
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # the library's name
                body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
                service.asked.append((self.path, body))
                self.send_response(service.status)
                if service.status == 302:
                    self.send_header("Location", f"http://127.0.0.1:{service.port}/elsewhere/{SECRET}")
                self.end_headers()
                self.wfile.write(service.says)

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


@pytest.mark.parametrize(
    ("outcomes", "code", "word"),
    [
        ([Outcome.SUCCESS], ExitCode.SUCCESS, ""),
        ([Outcome.WARNING], ExitCode.WARNING, ""),
        ([Outcome.DEFERRED], ExitCode.NOT_NOW, "/log"),
        ([Outcome.FAILURE], ExitCode.FAILURE, "/fail"),
        ([Outcome.INTERRUPTED], ExitCode.INTERRUPTED, "/fail"),
        ([Outcome.SUCCESS, Outcome.RUNNING], ExitCode.SUCCESS, "/log"),
        ([Outcome.FAILURE, Outcome.RUNNING], ExitCode.FAILURE, "/fail"),
    ],
)
def test_what_goes_on_by_itself_is_no_success_yet(
    tmp_path: Path, service: Service, outcomes: list[Outcome], code: ExitCode, word: str
) -> None:
    runs = [a_run("scrub", outcome=outcome) for outcome in outcomes]
    assert heartbeat(tmp_path, f"http://127.0.0.1:{service.port}/ping").end_runs(runs, code) is None
    assert service.asked == [(f"/ping{word}", "\n".join(f"scrub of main: {outcome}" for outcome in outcomes))]


def test_follow_tells_the_end_of_a_scrub_that_its_timer_began(
    tmp_path: Path, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "address").write_text(f"http://127.0.0.1:{service.port}/ping\n")
    config = tmp_path / "config.yml"
    config.write_text(
        f"schema: 1\npaths: {{state: {tmp_path}/state, log: {tmp_path}/log, lock: {tmp_path}/lock}}\n"
        "sources: {data: {path: /srv}}\nrepositories: {main: {path: /r, sources: [data]}}\nmail: {when: never}\n"
        f"pools: {{tank: {{}}}}\nheartbeat: {{address_files: {{scrub: {tmp_path}/address}}}}\n"
    )
    going_on = a_run("scrub", outcome=Outcome.RUNNING, target="tank", versions={"bkp": "1"}, outlives_process=True)

    ends = iter([False, True])

    def work(_context: RunContext) -> None:
        if not next(ends):
            raise GoesOnError("it goes on")

    job = RunnerJob(SCRUB, lambda context: context, work, scrub.JOB.dry_run, scrub.JOB.rights)
    real = registry.runner_job
    monkeypatch.setattr(registry, "runner_job", lambda name: job if name == "scrub" else real(name))
    for asked in ([], [("/ping", "scrub of tank: success")]):
        StateStore(tmp_path / "state").write_running(going_on, durable=True)  # by a process that is gone
        CliRunner().invoke(cli, ["--config", str(config), "follow", "--unit"], standalone_mode=False)
        assert service.asked == asked


@pytest.mark.parametrize(("fails", "wanted"), [(False, ExitCode.SUCCESS), (True, ExitCode.FAILURE)])
def test_a_service_that_cannot_be_had_changes_neither_a_run_nor_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool, wanted: ExitCode
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        (tmp_path / "address").write_text(f"http://127.0.0.1:{closed.getsockname()[1]}/{SECRET}\n")
    config = tmp_path / "config.yml"
    config.write_text(
        f"schema: 1\npaths: {{state: {tmp_path}/state, log: {tmp_path}/log, lock: {tmp_path}/lock}}\n"
        "sources: {data: {path: /srv}}\nrepositories: {main: {path: /r, sources: [data]}}\nmail: {when: never}\n"
        f"clock_wait: 0s\npools: {{tank: {{}}}}\nheartbeat: {{address_files: {{scrub: {tmp_path}/address}}}}\n"
    )

    def work(_context: RunContext) -> None:
        if fails:
            raise StateError("the pool is gone")

    job = RunnerJob(SCRUB, lambda context: context, work, scrub.JOB.dry_run, scrub.JOB.rights)
    monkeypatch.setattr(registry, "runner_job", lambda _name: job)
    done = CliRunner().invoke(cli, ["--config", str(config), "scrub", "--unit", "--quiet"], standalone_mode=False)
    assert done.return_value == wanted
    assert "warning: the heartbeat of scrub could not be sent" in done.stderr
    run = value_of(StateStore(tmp_path / "state").read_job("scrub", "tank").latest)
    assert run is not None
    assert run.outcome is (Outcome.FAILURE if fails else Outcome.SUCCESS)
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != "address")
    assert SECRET.encode() not in written + done.output.encode()


def test_a_service_that_says_ok_and_does_not_take_it_is_no_success(tmp_path: Path, service: Service) -> None:
    for service.says, why in ((b"OK (not found)", "does not know the address"), (b"OK (rate limited)", "too often")):
        told = heartbeat(tmp_path, f"http://127.0.0.1:{service.port}/{SECRET}").end("success", "")
        assert why in str(told)
        assert SECRET not in str(told)


def test_the_watch_notes_when_a_service_last_took_its_heartbeat(tmp_path: Path, service: Service) -> None:
    (tmp_path / "address").write_text(f"http://127.0.0.1:{service.port}/ping\n")
    (tmp_path / "state").mkdir()
    path = tmp_path / "config.yml"
    path.write_text(
        f"schema: 1\npaths: {{state: {tmp_path}/state, log: {tmp_path}/log, lock: {tmp_path}/lock}}\n"
        "sources: {data: {path: /srv}}\nrepositories: {main: {path: /r, sources: [data]}}\nmail: {when: never}\n"
        f"heartbeat: {{address_files: {{watch: {tmp_path}/address}}}}\n"
    )

    def watch(*more: str) -> datetime | None:
        CliRunner().invoke(cli, ["--config", str(path), "watch", *more], standalone_mode=False)
        found = read_watch(load_config(path))
        assert isinstance(found, Readable)
        return found.value.pinged_at

    assert watch() is None, "by hand it pings nobody"
    service.status = 404
    assert watch("--unit") is None
    service.status, service.says = 200, b"OK (not found)"
    assert watch("--unit") is None
    service.says = b"OK"
    first = watch("--unit")
    assert first is not None
    service.status = 500
    assert watch("--unit") == first, "what arrived then stays what arrived last"


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
