"""Fixtures of the lab: `server`, `live`, `pool`, once per release named by `--release`.

A test module that needs the project installed just asks for `server`. One that needs less says so, and starts sooner::

    @pytest.fixture(scope="module")
    def server_state() -> State | None:
        return states.POOL
"""

from __future__ import annotations

import os
import re
import shutil
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.vm.lab import network, prerequisites, runs, states
from tests.vm.lab.errors import LabError
from tests.vm.lab.onhost import Host
from tests.vm.lab.paths import lab
from tests.vm.lab.progress import Progress
from tests.vm.lab.recipe import DEFAULT_RELEASES, RELEASES, Release, release_named
from tests.vm.lab.virtual import VirtualMachine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.vm.lab.guest import Guest
    from tests.vm.lab.pool import Pool
    from tests.vm.lab.states import State

HERE = Path(__file__).parent
# pytest-timeout is there to end a hang, and an image build on a busy machine is not one.
_TEST_LIMIT = 3 * 3600
_KEPT_FAILURES = 20

_guests = pytest.StashKey[list["Guest"]]()
_left_out = pytest.StashKey[list[str]]()
_began = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("lab", "the lab's machines")
    group.addoption("--release", default=",".join(DEFAULT_RELEASES), help=f"comma-separated, of {', '.join(RELEASES)}")
    group.addoption(
        "--on-host", action="store_true", help="run on this host's own ZFS (what needs a machine is left out)"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_guests] = []
    config.stash[_left_out] = []
    config.stash[_began] = time.time()
    config.addinivalue_line("markers", "needs(ability): what the guest must be able to do; see lab.guest.Guest")
    config.addinivalue_line("markers", "smoke: part of the main path, `make test-vm-smoke`")
    config.addinivalue_line(
        "markers", "once(turn=0): on one of the releases only: what is judged differs by none of them"
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Collect these tests only when they are asked for by path: a machine takes minutes."""
    for argument in config.invocation_params.args:
        path = (config.invocation_params.dir / argument.split("::")[0]).resolve()
        if path.is_relative_to(HERE):
            return None
    return True


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "release" in metafunc.fixturenames:
        names = metafunc.config.getoption("--release").split(",")
        try:
            chosen = [release_named(name) for name in names]
        except LabError as error:
            raise pytest.UsageError(str(error)) from error
        if metafunc.config.getoption("--on-host"):
            chosen, names = chosen[:1], ["on-host"]
        metafunc.parametrize("release", chosen, ids=names, scope="session", indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    on_host, kept = config.getoption("--on-host"), []
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(_TEST_LIMIT))
        if on_host and (item.get_closest_marker("needs") or "live" in getattr(item, "fixturenames", ())):
            config.stash[_left_out].append(item.nodeid)
        elif _is_its_turn(item, config):
            kept.append(item)
    if len(kept) != len(items):
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept


def _is_its_turn(item: pytest.Item, config: pytest.Config) -> bool:
    """Say whether a test that runs once runs on this release: those of a parametrised test alternate between them."""
    once = item.get_closest_marker("once")
    if once is None or config.getoption("--on-host"):
        return True
    indices = dict(item.callspec.indices)  # type: ignore[attr-defined]  # of a function that has parameters
    release = indices.pop("release")
    turn: int = once.kwargs.get("turn", 0) + sum(indices.values())
    return bool(turn % len(config.getoption("--release").split(",")) == release)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Give each worker whole modules: their tests share a machine. Absent on hosts that run the tests without xdist."""
    from tests.vm.lab import workers

    return workers.ByMachine(config, log)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    reports = [report for found in terminalreporter.stats.values() for report in found if hasattr(report, "when")]
    if reports and not config.getoption("--on-host"):
        from tests.vm.lab import summary

        terminalreporter.section("the lab's result")
        seconds, workers = time.time() - config.stash[_began], config.getoption("numprocesses", 0) or 1
        terminalreporter.line(summary.circumstances(seconds, workers))
        for line in summary.table(reports):
            terminalreporter.line(line)
    left_out = config.stash[_left_out]
    if left_out:
        terminalreporter.section("left out: only the lab's machines can (make test-vm)")
        for nodeid in left_out:
            terminalreporter.line(nodeid)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Add to a failure what the guests' journals and consoles say, and never let a skip pass for a result."""
    report = yield
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"the lab never skips: {report.longrepr}"
    if report.failed and call.excinfo is not None:
        folder = _failure_folder(item.nodeid)
        for guest in item.config.stash[_guests]:
            report.sections += guest.diagnosis()
            if isinstance(guest, VirtualMachine):
                guest.keep_logs(folder)
        folder.mkdir(parents=True, exist_ok=True)
        sections = [f"==== {title}\n{text}\n" for title, text in report.sections]
        (folder / "report.txt").write_text(f"{report.longreprtext}\n{''.join(sections)}", "utf-8")
    return report


def _failure_folder(nodeid: str) -> Path:
    failures = lab().root / "failures"
    name = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{re.sub(r'[^A-Za-z0-9]+', '-', nodeid)[-80:]}"
    for old in sorted(failures.glob("2*"))[: -_KEPT_FAILURES + 1]:
        shutil.rmtree(old, ignore_errors=True)
    return failures / name


@pytest.fixture(scope="session")
def progress(pytestconfig: pytest.Config) -> Progress:
    """Phase lines of what takes minutes, past pytest's capture; one of several workers has no terminal to write to."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    terminal = pytestconfig.pluginmanager.getplugin("terminalreporter")

    def write(line: str) -> None:
        with capture.global_and_fixture_disabled():
            if hasattr(pytestconfig, "workerinput"):
                os.write(2, line.encode())
            else:
                terminal.ensure_newline()
                terminal.write(line)

    return Progress("lab", write)


@pytest.fixture(scope="session")
def release(request: pytest.FixtureRequest) -> Release:
    """The Debian release this test runs on."""
    chosen: Release = request.param
    return chosen


class Machines:
    """Starts machines, and ends them when the fixture that asked for them ends."""

    def __init__(self, config: pytest.Config, progress: Progress, release: Release) -> None:
        self._guests = config.stash[_guests]
        self._progress = progress
        self._release = release

    def boot(
        self, stack: ExitStack, name: str, state: State | None, link: network.Link | None = None
    ) -> VirtualMachine:
        """Start a machine from a prepared state and wait until it is ready; `stack` ends it."""
        prepared = states.ensure(state, self._release, self._progress)
        for hold in prepared.in_use():
            stack.callback(hold.release)
        machine = prepared.machine(name, lab())
        stack.callback(machine.discard)
        self.register(stack, machine)
        progress = self._progress.part(f"{self._release.name} {name}")
        machine.start(link=link)
        machine.wait_ready()
        progress.say(f"up, from {'the image' if state is None else state.name}")
        return machine

    def register(self, stack: ExitStack, guest: Guest) -> None:
        """Have failures ask this guest for its journal."""
        self._guests.append(guest)
        stack.callback(self._guests.remove, guest)


@pytest.fixture(scope="session")
def _lab_ready(pytestconfig: pytest.Config, progress: Progress) -> None:
    """Say at once what is missing on this host, and clean up after sessions that died."""
    if not pytestconfig.getoption("--on-host"):
        prerequisites.require(prerequisites.TO_RUN)
        for name in runs.sweep(lab()):
            progress.say(f"swept {name}, left by a session that died")


@pytest.fixture(scope="session")
def machines(pytestconfig: pytest.Config, progress: Progress, release: Release, _lab_ready: None) -> Machines:
    """Start machines of one's own, for tests that need more than the fixtures give."""
    return Machines(pytestconfig, progress, release)


@pytest.fixture(scope="module")
def server_state() -> State | None:
    """The prepared state `server` starts from; a module that needs less overrides this."""
    return states.PROJECT


@pytest.fixture(scope="module")
def _segment() -> Iterator[Path]:
    """The network between this module's `server` and `live`."""
    folder, hold = runs.claim(lab(), "lan")
    yield folder
    runs.remove(folder, hold)


@pytest.fixture(scope="module")
def server(
    request: pytest.FixtureRequest, machines: Machines, server_state: State | None, release: Release
) -> Iterator[Guest]:
    """The backup server, one for all tests of a module."""
    with ExitStack() as stack:
        if request.config.getoption("--on-host"):
            host = Host(release)
            stack.callback(host.discard)
            machines.register(stack, host)
            yield host
        else:
            segment: Path = request.getfixturevalue("_segment")
            yield machines.boot(stack, "server", server_state, network.Link(segment, network.SERVER))


@pytest.fixture(scope="module")
def live(machines: Machines, _segment: Path) -> Iterator[VirtualMachine]:
    """The live server, whose pool is backed up; `server` reaches it as root by ssh under the name `live`."""
    with ExitStack() as stack:
        yield machines.boot(stack, "live", states.POOL, network.Link(_segment, network.LIVE))


@pytest.fixture(scope="module")
def pool(server: Guest) -> Pool:
    """The server's pool, unlocked and mounted."""
    if isinstance(server, Host):
        return server.make_pool()
    pool = states.lab_pool(server)
    pool.unlock()
    return pool
