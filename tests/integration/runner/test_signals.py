"""SIGTERM, Ctrl-C and hang-up end a run cleanly; SIGKILL at any moment loses nothing and blocks nothing."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from bkp.liveness import is_alive
from bkp.state.fields import Outcome
from bkp.state.files import read_record
from bkp.state.reading import Readable
from bkp.state.records import Run
from tests.support.runner_world import World

if TYPE_CHECKING:
    from collections.abc import Sequence

KILLS, NOT_LOADED = 52, 16
_COMPACTED = re.compile(r"segment \d+ not found, but listed in compaction data")


@pytest.fixture
def world(world: World) -> World:
    """A site whose programs are started for each call."""
    world.load_nothing_before()
    return world


def _first_record(world: World, process: subprocess.Popen[str]) -> Run | None:
    """Wait for the running record of a process just started; None if it ended before that was seen."""
    path = world.store.job_dir("nightly", "main") / "latest.json"
    while process.poll() is None:
        reading = read_record(path, Run)
        if isinstance(reading, Readable) and reading.value.process.pid == process.pid:
            return reading.value
        time.sleep(0.002)
    return None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
def test_an_ending_signal_ends_the_run_cleanly_at_any_moment(world: World, number: signal.Signals) -> None:
    moments = random.Random(f"moments of {number.name}")
    started = time.monotonic()
    world.succeed("nightly")
    length = time.monotonic() - started
    for _ in range(4):
        process = world.start("nightly")
        running = _first_record(world, process)
        assert running is not None
        time.sleep(moments.uniform(0, 0.6) * length)
        process.send_signal(number)
        _, err = process.communicate(timeout=300)
        run = world.latest()
        assert run.run_id == running.run_id
        assert world.history()[-1].run_id == run.run_id
        if process.returncode == 0:  # it had ended its work already: a late signal changes nothing
            assert run.outcome is Outcome.SUCCESS
        else:
            assert process.returncode == 130, err
            assert run.outcome is Outcome.INTERRUPTED
            assert run.reason == f"interrupted by {number.name}"
            assert run.reason in err
            assert all(step.ended_at is not None for step in run.steps)
        world.wait_until_idle()
        # A borg that is ended just as it takes the lock of its cache may leave it. The next borg on this host takes it
        # over, since its holder is gone: the night below shows that. The repository's own lock is never left.
        assert [each for each in world.locks() if each.is_relative_to(world.repository)] == []
    world.succeed("nightly")
    assert world.chain().intact


def test_the_step_that_a_signal_ended_is_named(world: World) -> None:
    world.hold_borg("prune")
    process = world.start("nightly")
    world.wait_until_held(process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=300)
    assert process.returncode == 130
    assert world.step("prune").outcome is Outcome.INTERRUPTED
    assert world.latest().archive is not None
    assert world.run("status").returncode == 3


def test_an_interrupted_run_starts_no_other_repository(world: World) -> None:
    world.config["repositories"]["second"] = {**world.main, "path": str(world.root / "second")}
    world.hold_borg("create")
    process = world.start("nightly")
    world.wait_until_held(process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=300)
    assert process.returncode == 130
    assert [run.target for run in world.history()] == ["main"]


def test_a_signal_while_waiting_for_the_lock_is_recorded_and_the_holder_left_alone(world: World) -> None:
    world.hold_borg("create")
    holder = world.start("nightly")
    world.wait_until_held(holder)
    waiting = world.start("nightly", "--lock-wait", "10m")
    assert waiting.stderr is not None
    assert waiting.stderr.readline().startswith("waiting up to 600s")
    waiting.send_signal(signal.SIGTERM)
    waiting.communicate(timeout=300)
    assert waiting.returncode == 130
    assert world.latest().outcome is Outcome.RUNNING
    (world.root / "borg-wrapper.go").touch()
    holder.communicate(timeout=300)
    assert holder.returncode == 0
    assert [run.outcome for run in world.history()] == [Outcome.INTERRUPTED, Outcome.SUCCESS]
    assert world.latest().outcome is Outcome.SUCCESS


def test_a_signal_during_the_mail_does_not_change_what_became_of_the_run(world: World) -> None:
    slow = world.root / "slow-msmtp"
    slow.write_text(f'#!/bin/sh\ncat > /dev/null; touch "{slow}.reached"; sleep 1; exit 0\n')
    slow.chmod(0o755)
    world.config["mail"] = {"when": "always", "to": "root@example.com", "msmtp": str(slow)}
    world.write_config()
    process = world.start("nightly")
    while not (world.root / "slow-msmtp.reached").exists():
        assert process.poll() is None
        time.sleep(0.02)
    for _ in range(3):
        process.send_signal(signal.SIGTERM)
    process.communicate(timeout=300)
    assert process.returncode == 0
    assert (world.latest().outcome, world.latest().mail) == (Outcome.SUCCESS, "sent")


def test_a_signal_during_the_mail_keeps_the_next_repository_from_being_begun(world: World) -> None:
    slow = world.root / "slow-msmtp"
    slow.write_text(f'#!/bin/sh\ncat > /dev/null; touch "{slow}.reached"; sleep 1; exit 0\n')
    slow.chmod(0o755)
    world.config["mail"] = {"when": "always", "to": "root@example.com", "msmtp": str(slow)}
    world.config["repositories"]["second"] = {**world.main, "path": str(world.root / "second")}
    world.write_config()
    process = world.start("nightly")
    while not (world.root / "slow-msmtp.reached").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=300)
    assert process.returncode == 130
    assert [(run.target, run.outcome) for run in world.history()] == [("main", Outcome.SUCCESS)]


def test_the_reader_of_what_a_run_says_may_go_away(world: World) -> None:
    for arguments in (("nightly",), ("nightly", "--json")):
        read_end, write_end = os.pipe()
        os.close(read_end)
        process = world.start(*arguments, stdout=write_end, stderr=write_end)
        os.close(write_end)
        assert process.wait(timeout=300) == 0
    world.write_passphrase("wrong")
    read_end, write_end = os.pipe()
    os.close(read_end)
    process = world.start("nightly", stdout=write_end, stderr=write_end)
    os.close(write_end)
    assert process.wait(timeout=300) == 3
    assert [run.outcome for run in world.history()] == [Outcome.SUCCESS, Outcome.SUCCESS, Outcome.FAILURE]


# ---------------------------------------------------------------- SIGKILL


class _Killed(NamedTuple):
    """A nightly that was killed: its record, if it had come to write one, and whether it had ended before."""

    run: Run | None
    ended_by_itself: bool


def _kill(world: World, after: float, what: str) -> _Killed:
    """Kill a nightly some time after its start, and insist on what must hold at once."""
    process = world.start("nightly", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(after)
    process.kill()
    ended_by_itself = process.wait() in {0, 1}
    for path in sorted(world.state.rglob("*.json")):
        reading = read_record(path, dict)
        assert isinstance(reading, Readable), f"{what}: {reading}"
    chain = world.chain()
    assert chain.problem is None, f"{what}: {chain}"
    return _Killed(_record_of(world, process.pid), ended_by_itself)


def _kill_two(world: World, moments: Sequence[float], what: str) -> None:
    """Kill two nightlies, one after the other, and insist on everything that must hold after the next one."""
    before = {run.run_id: run for run in world.history()}
    all_killed = [_kill(world, after, what) for after in moments]
    done = world.run("nightly")
    said = [message.text for message in world.latest().messages]
    # A compaction that was ended half-way makes the next borg warn of segments that it had removed already: that is
    # borg's own word on a repository that its check finds whole, and a warning of the night. Nothing else may be.
    assert all(_COMPACTED.fullmatch(text) for text in said), f"{what}: {said}"
    assert done.returncode == (1 if said else 0), f"{what}: {done.returncode} {done.stderr}"
    history = world.history()
    new = [run for run in history if run.run_id not in before]
    assert len({run.run_id for run in history}) == len(history), f"{what}: an end was recorded twice"
    assert new[-1].outcome is (Outcome.WARNING if said else Outcome.SUCCESS), what
    assert world.latest() == new[-1] == world.last_success(), what
    for killed, ended_by_itself in all_killed:
        if killed is not None:
            outcome = next(run.outcome for run in new if run.run_id == killed.run_id)
            # killed after its end was in the history: that end stands
            assert outcome is Outcome.INTERRUPTED or (outcome.is_good and _wrote_its_end(killed)), what
            assert not ended_by_itself or outcome.is_good, what
            assert is_alive(killed.process) is False
    assert world.chain().intact, f"{what}: {world.chain()}"
    world.wait_until_idle()
    assert world.locks() == [], what
    assert not list(world.state.rglob(".*.tmp")), what
    assert not Path(world.lock / "repository-main.lock").read_bytes(), f"{what}: the lock names a holder"


def _record_of(world: World, pid: int) -> Run | None:
    reading = read_record(world.store.job_dir("nightly", "main") / "latest.json", Run)
    return reading.value if isinstance(reading, Readable) and reading.value.process.pid == pid else None


def _wrote_its_end(run: Run) -> bool:
    """Return whether the steps of a killed run's record, or the record itself, had come to their end."""
    return run.ended_at is not None or {"prune", "compact"} <= {step.name for step in run.steps}


@pytest.mark.timeout(3600)
def test_sigkill_at_random_moments_loses_nothing_and_blocks_nothing(
    tmp_path: Path, empty_repository: Path, request: pytest.FixtureRequest
) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    lanes = 2  # each with a site of its own: a killed night and its end overlap with the other's
    progress: list[str] = []
    lock = threading.Lock()

    def lane(number: int, kills: Sequence[float]) -> None:
        folder = tmp_path / f"site-{number}"
        folder.mkdir()
        world = World(folder, empty_repository)
        if number == 0:  # a borg that is loaded already is ended at other moments of its work
            world.load_nothing_before()
        started = time.monotonic()
        assert world.start("nightly", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).wait() == 0
        length = time.monotonic() - started
        for pair in zip(kills[::2], kills[1::2], strict=True):
            what = f"seed {seed}, site {number}, kills after {pair[0]:.3f} and {pair[1]:.3f} of {length:.2f}s"
            with lock:
                progress.append(what)
            _kill_two(world, [share * length for share in pair], what)
        world.tear_down()  # borg check --verify-data of the repository

    shares = random.Random(seed)
    moments = [shares.uniform(0, 1.05) for _ in range(KILLS)]
    with ThreadPoolExecutor(lanes) as pool:
        results = [pool.submit(lane, 0, moments[:NOT_LOADED]), pool.submit(lane, 1, moments[NOT_LOADED:])]
    failed = [exc for result in results if (exc := result.exception()) is not None]
    if failed:
        print("\n".join(progress))  # noqa: T201  # pytest shows it with the failure
        raise failed[0]
    assert 2 * len(progress) == KILLS
