"""Which repository it is, and whose archives are in it: real borg."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import yaml

from bkp.state.fields import Outcome
from bkp.state.reading import Readable
from tests.support.loaded import loaded
from tests.support.repositories import make_repository
from tests.support.runner_world import borg_environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.runner_world import World


def _id(world: World) -> str:
    reading = world.store.read_repository("main")
    assert isinstance(reading, Readable)
    return reading.value.id


def test_another_repository_with_the_same_passphrase_is_refused_before_anything_is_written(world: World) -> None:
    world.succeed("nightly")
    known = _id(world)
    world.repository.rename(world.root / "unmounted")
    make_repository(world.repository, borg_environment(world.base))
    for _ in range(2):  # a failed night does not make it the known one
        done = world.run("nightly")
        assert done.returncode == 3
        assert "is another repository than before" in done.stderr
        assert "bkp-run nightly --accept-repository" in (world.latest().remedy or "")
        assert world.archives() == []
        assert _id(world) == known
    assert world.run("prune").returncode == 3

    world.succeed("nightly", "--accept-repository")
    assert len(world.archives()) == 1
    assert _id(world) != known
    world.succeed("nightly")


def test_what_is_known_of_the_repository_survives_the_loss_of_its_record(world: World) -> None:
    world.succeed("nightly")
    world.store.repository_path("main").write_text("{")
    shutil.rmtree(world.repository)
    make_repository(world.repository, borg_environment(world.base))
    assert world.run("nightly").returncode == 3
    assert "is another repository than before" in (world.latest().reason or "")


def test_a_repository_without_the_configured_encryption_is_refused_even_on_the_first_night(world: World) -> None:
    shutil.rmtree(world.repository)
    subprocess.run(
        ["/usr/bin/borg", "init", "--encryption", "none", str(world.repository)],
        env=borg_environment(world.base),
        check=True,
        capture_output=True,
    )
    done = world.run("nightly", "--accept-repository")
    assert done.returncode == 3
    assert "encrypted as none, not as repokey-blake2" in done.stderr
    assert "repositories.main.encryption" in (world.latest().remedy or "")
    assert world.archives() == []
    world.main["encryption"] = "none"
    world.write_config()
    world.succeed("nightly")


def test_a_night_on_the_known_repository_asks_borg_for_nothing_more(world: World) -> None:
    world.succeed("nightly")
    world.wrap_borg('[ "$1" = --version ] || echo "$1" >> "$0.calls"; exec "$BORG" "$@"')
    world.succeed("nightly")
    assert (world.root / "borg-wrapper.calls").read_text().split() == ["create", "list", "rename", "prune"]


# ---------------------------------------------------------------- whose archives these are


def _second_host(world: World, **main: str) -> Path:
    """Return the configuration of another host with the same repository."""
    config = copy.deepcopy(world.config)
    config["host"] = "host-b"
    config["paths"] = {key: f"{path}-b" for key, path in config["paths"].items()}
    config["repositories"]["main"] |= {"base_dir": f"{world.base}-b", **main}
    path = world.root / "config-b.yml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    (world.root / "base-b").mkdir()
    return path


def _on(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [loaded("bkp-run"), "--config", str(config), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_two_hosts_with_one_repository_keep_their_archives_apart(world: World) -> None:
    del world.main["archive_prefix"]
    world.main["keep"] = {"last": 1, "daily": 0, "weekly": 0, "monthly": 0}
    world.write_config()
    other = _second_host(world)
    for _ in range(2):
        assert world.run("nightly").returncode == 0
        done = _on(other, "nightly")
        assert done.returncode == 0, done.stderr
    ours, theirs = world.archives()
    assert ours.startswith("backup.example.com-2")
    assert theirs.startswith("host_b-2")
    said = world.succeed("restore", "latest", "--to", str(world.root / "restored"), "--json").stdout
    assert json.loads(said)["archive"] == ours
    assert "another prefix: does not count" in world.succeed("list").stdout


def test_two_hosts_that_share_a_prefix_prune_nothing_of_each_other(world: World) -> None:
    world.main["keep"] = {"last": 1, "daily": 0, "weekly": 0, "monthly": 0}
    world.write_config()
    other = _second_host(world)
    world.succeed("nightly")
    world.begin_a_second()
    assert _on(other, "nightly").returncode == 0  # what was there on its first night it takes for its own
    assert world.run("nightly").returncode == 1
    run = world.latest()
    assert run.outcome is Outcome.WARNING
    assert "not of this server's recorded nights" in (run.reason or "")
    assert "archive_prefix" in (run.remedy or "")
    done = world.run("prune")
    assert done.returncode == 3
    assert "nothing was pruned" in done.stderr
    assert len(world.archives()) == 2


def test_who_has_archives_under_the_old_default_goes_on_with_them(world: World) -> None:
    world.succeed("nightly")
    world.store.repository_path("main").unlink()  # as an earlier bkp left it
    del world.main["archive_prefix"]
    world.write_config()
    world.succeed("nightly")
    assert {name.partition("-")[0] for name in world.archives()} == {"backup"}
    world.config["host"] = "renamed"
    world.write_config()
    world.succeed("nightly")
    assert {name.partition("-")[0] for name in world.archives()} == {"backup"}

    world.main["archive_prefix"] = "{host}"  # somebody wants it
    world.write_config()
    assert world.run("nightly").returncode == 1
    assert "Those named backup-… stay, count no more" in (world.latest().reason or "")
    assert world.archives()[-1].startswith("renamed-2")


def test_an_archive_of_the_future_is_not_the_latest_and_stops_the_rules(world: World) -> None:
    world.succeed("nightly")
    (good,) = world.archives()
    world.archive_by_hand("backup-29990101T000000Z-0123abcd", "2999-01-01T00:00:00")
    done = world.succeed("restore", "latest", "--to", str(world.root / "restored"), "--json")
    assert json.loads(done.stdout)["archive"] == good
    assert "backup-29990101T000000Z-0123abcd is dated in the future" in done.stderr
    assert "dated in the future" in world.succeed("list").stdout
    assert world.run("nightly").returncode == 1
    run = world.latest()
    assert "dated in the future" in (run.reason or "")
    assert run.archive is not None
    assert world.sample().archive_id == run.archive.id
    world.borg("rename", f"{world.repository}::backup-29990101T000000Z-0123abcd", "misdated")
    world.succeed("nightly")


# ---------------------------------------------------------------- prune on demand


def test_prune_on_demand_gives_up_what_the_rules_give_up_and_compacts(world: World) -> None:
    world.main["keep"] = {"daily": 2, "weekly": 0, "monthly": 0}
    world.write_config()
    world.succeed("nightly")
    for day in (10, 11, 12):
        world.archive_by_hand(f"backup-202601{day}T013000Z", f"2026-01-{day}T01:30:00")
    world.archive_by_hand("by-hand", "2026-01-09T12:00:00")
    assert "borg prune" in world.succeed("prune", "--dry-run").stdout
    assert len(world.archives()) == 5
    world.succeed("prune")
    assert [name.partition("T")[0] for name in world.archives()][:2] == ["by-hand", "backup-20260112"]
    assert len(world.archives()) == 3
    run = world.latest("prune")
    assert run.outcome is Outcome.SUCCESS
    assert [step.name for step in run.steps] == ["confirm", "prune", "compact"]
    assert world.step("prune", run).counters["deleted"] == 2
    world.succeed("drill")


def test_prune_on_demand_refuses_without_a_proven_archive(world: World) -> None:
    for day in (10, 11, 12, 13):
        world.archive_by_hand(f"backup-202601{day}T013000Z", f"2026-01-{day}T01:30:00")
    world.main["keep"] = {"last": 1, "daily": 0, "weekly": 0, "monthly": 0}
    world.write_config()
    done = world.run("prune")
    assert done.returncode == 3
    assert "no archive that a recorded night has proven" in done.stderr
    world.succeed("nightly")
    world.borg("delete", f"{world.repository}::{world.archives()[-1]}")
    world.archive_by_hand("backup-20260114T013000Z", "2026-01-14T01:30:00")
    assert world.run("prune").returncode == 3
    assert world.archives() == ["backup-20260114T013000Z"]
