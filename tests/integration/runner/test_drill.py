"""The drill proves a restore, and tolerates nothing."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from bkp.state.fields import Outcome
from tests.support.records import drilled

if TYPE_CHECKING:
    from tests.support.runner_world import World


def test_a_drill_restores_the_sample_compares_every_hash_and_cleans_up(world: World) -> None:
    world.succeed("nightly")
    world.succeed("drill")
    run, sample = world.latest("drill"), world.sample()
    assert (drilled(run).files, drilled(run).matched, drilled(run).mismatched, drilled(run).missing) == (6, 6, 0, 0)
    assert drilled(run).bytes == sum(file.bytes for file in sample.files) > 0
    assert (drilled(run).archive, drilled(run).archive_id) == (sample.archive, sample.archive_id)
    assert [step.name for step in run.steps] == ["sample", "extract", "compare"]
    assert list(world.scratch.iterdir()) == []


def test_a_drill_still_proves_the_last_good_night_after_the_tree_has_changed(world: World) -> None:
    world.succeed("nightly")
    for path in world.docs.rglob("*.txt"):
        path.write_text("changed since")
    world.succeed("drill")


@pytest.mark.parametrize(
    ("tampering", "said"),
    [
        ({"sha256": "0" * 64}, "with another content"),
        ({"bytes": 1}, "with another content"),
        ({"path": "tmp/never/archived"}, "not restored from"),
    ],
)
def test_one_file_that_differs_fails_the_drill(world: World, tampering: dict[str, object], said: str) -> None:
    world.succeed("nightly")
    path = world.store.sample_path("main")
    sample = json.loads(path.read_text())
    sample["files"][2] |= tampering
    path.write_text(json.dumps(sample))
    done = world.run("drill")

    assert done.returncode == 3
    assert said in done.stderr
    run = world.latest("drill")
    assert run.outcome is Outcome.FAILURE
    assert "1 of 6 restored files are not what was backed up" in (run.reason or "")
    assert drilled(run).matched == 5
    assert drilled(run).mismatched + drilled(run).missing == 1
    assert list(world.scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no sample is recorded yet"),
        ("empty", "the sample is empty: comparing nothing proves nothing"),
        ("{", "is torn or is not JSON"),
        ("\xff\xfe", "is not UTF-8 text"),
    ],
)
def test_a_drill_without_anything_to_compare_is_no_success(world: World, content: str | None, said: str) -> None:
    world.succeed("nightly")
    path = world.store.sample_path("main")
    sample = json.loads(path.read_text())
    path.unlink()
    if content == "empty":
        path.write_text(json.dumps(sample | {"files": []}))
    elif content is not None:
        path.write_bytes(content.encode("latin-1"))
    done = world.run("drill")
    assert done.returncode == 3
    assert said in done.stderr
    assert "remedy: run `bkp-run nightly`" in done.stderr


def test_a_drill_on_an_archive_that_somebody_deleted_is_a_failure(world: World) -> None:
    world.succeed("nightly")
    world.borg("delete", f"{world.repository}::{world.archives()[0]}")
    done = world.run("drill")
    assert done.returncode == 3
    assert "there is no archive of that name" in done.stderr


def test_what_an_earlier_drill_left_behind_is_removed_first(world: World) -> None:
    world.succeed("nightly")
    left = world.scratch / "drill-main" / world.sample().files[0].path
    left.parent.mkdir(parents=True)
    left.write_text("left by a killed drill")
    world.succeed("drill")


def test_a_sample_whose_paths_are_too_many_for_one_command_line_is_restored_in_several_calls(world: World) -> None:
    folder = world.docs.joinpath(*["a long name of a folder " * 9] * 8)
    folder.mkdir(parents=True)
    for number in range(1200):
        (folder / f"{number:04} {'and a long name of a file ' * 6}").write_text(str(number))
    world.config["drill"] = {"sample_files": 10_000}
    world.write_config()
    world.succeed("nightly")
    assert sum(len(file.path) for file in world.sample().files) > os.sysconf("SC_ARG_MAX")
    world.succeed("drill")
    run = world.latest("drill")
    assert drilled(run).matched == 1206
    assert world.step("extract", run).exit_code == 0
    assert world.log_text(run).count("borg extract ") > 1
