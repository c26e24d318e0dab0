"""One run at a time on a repository, and a clear word for the one that has to wait."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from bkp.state.fields import Outcome

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.support.runner_world import World


def _held(world: World) -> tuple[subprocess.Popen[str], Path]:
    """Start a nightly that stays in its create step until the returned file exists."""
    go = world.hold_borg("create")
    process = world.start("nightly")
    world.wait_until_held(process)
    return process, go


def test_a_run_that_finds_the_lock_held_says_by_whom_and_is_recorded_as_skipped(world: World) -> None:
    holder, go = _held(world)
    running = world.latest()
    second = world.run("nightly", "--lock-wait", "0")
    check = world.run("check", "--lock-wait", "0")

    for done in (second, check):
        assert done.returncode == 4
        assert f"nightly on main, pid {holder.pid}, since {running.started_at:%Y-%m-%d %H:%M:%S UTC}" in done.stderr
    assert world.latest() == running, "the record of the run at work must not be overwritten"
    assert [(run.job, run.outcome) for run in world.history()] == [
        ("nightly", Outcome.SKIPPED),
        ("check", Outcome.SKIPPED),
    ]
    assert world.latest("check").outcome is Outcome.SKIPPED
    assert world.run("status").returncode == 3

    go.touch()
    _, err = holder.communicate(timeout=300)
    assert holder.returncode == 0, err
    assert world.latest().run_id == running.run_id
    assert world.latest().outcome is Outcome.SUCCESS
    assert world.chain().intact


def test_a_run_waits_for_the_lock_and_then_goes_on(world: World) -> None:
    holder, go = _held(world)
    waiting = world.start("check", "--lock-wait", "5m")
    assert waiting.stderr is not None
    said = waiting.stderr.readline()
    assert said.startswith("waiting up to 300s for the lock: nightly on main, pid ")
    go.touch()
    holder.communicate(timeout=300)
    waiting.communicate(timeout=300)
    assert (holder.returncode, waiting.returncode) == (0, 0)
    assert [(run.job, run.outcome) for run in world.history()] == [
        ("nightly", Outcome.SUCCESS),
        ("check", Outcome.SUCCESS),
    ]


def test_the_lock_of_a_killed_run_is_held_until_its_borg_is_gone(world: World) -> None:
    world.wrap_borg(
        '[ "$1" = create ] || exec "$BORG" "$@"\n'
        'trap \'\' TERM; touch "$0.held"; while [ ! -e "$0.go" ]; do sleep 0.05; done'
    )
    killed = world.start("nightly")
    world.wait_until_held(killed)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()

    done = world.run("check", "--lock-wait", "0")
    assert done.returncode == 4
    assert "that process is dead; a program it started is still at work" in done.stderr
    assert world.latest().outcome is Outcome.INTERRUPTED

    (world.root / "borg-wrapper.go").touch()
    world.wait_until_idle()
    world.unwrap_borg()
    world.succeed("check")


def test_two_repositories_do_not_wait_for_each_other(world: World) -> None:
    holder, go = _held(world)
    other = world.root / "other-repo"
    world.config["repositories"]["other"] = {**world.main, "path": str(other), "borg": "/usr/bin/borg"}
    world.write_config()
    world.borg("init", "--encryption", "repokey-blake2", str(other))
    world.succeed("nightly", "--target", "other", "--lock-wait", "0")
    go.touch()
    holder.communicate(timeout=300)
    assert holder.returncode == 0


def test_two_starts_at_once_after_a_crash_record_its_end_once(world: World) -> None:
    world.hold_borg("create")
    killed = world.start("nightly")
    world.wait_until_held(killed)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    world.unwrap_borg()
    both = [world.start("check", "--lock-wait", "5m") for _ in range(4)]
    for process in both:
        process.communicate(timeout=300)
    assert [process.returncode for process in both] == [0] * 4
    outcomes = [run.outcome for run in world.history()]
    assert outcomes.count(Outcome.INTERRUPTED) == 1
    assert outcomes.count(Outcome.SUCCESS) == 4
    assert world.chain().intact
