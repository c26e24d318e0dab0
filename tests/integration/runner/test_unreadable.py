"""Files that a damaged disk no longer gives back (EIO), in the tree at night and in what a drill has restored.

The memory of a process, bound over a file, is such a file: it opens, and reading where nothing is mapped is EIO.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bkp.state.fields import Outcome
from tests.support.mounts import in_own_mounts
from tests.support.records import drilled
from tests.support.runner_world import BKP_RUN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.runner_world import World


@pytest.fixture
def memory() -> Iterator[str]:
    """A file whose first read is EIO."""
    assert os.geteuid() == 0, "these tests mount: run them as root"
    with subprocess.Popen(["sleep", "infinity"]) as process:
        path = Path(f"/proc/{process.pid}/mem")
        with path.open("rb", buffering=0) as handle, pytest.raises(OSError, match="Input/output error"):
            handle.read(1)
        yield str(path)
        process.kill()


def _run(world: World, job: str, *before: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a job where what it mounts, and what the command `before` mounts, is seen by nobody else."""
    script = '[ "$1" = -- ] || mount --bind "$1" "$2"; while [ "$1" != -- ]; do shift; done; shift; exec "$@"'
    command = in_own_mounts("sh", "-ec", script, "sh", *map(str, before), "--", BKP_RUN, "-c", str(world.config_file))
    return subprocess.run([*command, job], capture_output=True, text=True, check=False, timeout=300)


def test_a_file_that_cannot_be_read_is_borgs_warning_and_left_out_of_the_sample(world: World, memory: str) -> None:
    bad = world.docs / "part 0" / "file-0.txt"
    done = _run(world, "nightly", memory, bad)

    assert done.returncode == 1, done.stderr
    run = world.latest()
    assert run.outcome is Outcome.WARNING
    assert any(f"{bad}: read: [Errno 5] Input/output error" in message.text for message in run.messages)
    assert world.step("prune").outcome is Outcome.SUCCESS
    drawn = {file.path for file in world.sample().files}
    assert len(drawn) == 5
    assert str(bad).lstrip("/") not in drawn


def test_a_restored_file_that_cannot_be_read_fails_the_drill_with_the_reason(world: World, memory: str) -> None:
    world.succeed("nightly")
    bad = world.sample().files[2].path
    world.wrap_borg(f'"$BORG" "$@" || exit\n[ "$1" != extract ] || mount --bind {memory} "$PWD/{bad}"')
    done = _run(world, "drill")

    assert done.returncode == 3
    assert f"/{bad}: restored from {world.archives()[0]}, but cannot be read: Input/output error" in done.stderr
    run = world.latest("drill")
    assert (run.outcome, run.reason) == (
        Outcome.FAILURE,
        "compare: 1 of 6 restored files are not what was backed up",
    )
    assert (drilled(run).matched, drilled(run).mismatched, drilled(run).missing) == (5, 1, 0)
