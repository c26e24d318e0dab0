"""What an archive does not hold is said: excludes stay with their source, and nothing is left out without a word."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from bkp.state.fields import Outcome
from tests.support.repositories import make_repository
from tests.support.runner_world import borg_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.runner_world import World


def _archived(world: World, archive: str | None = None) -> set[str]:
    found = world.borg("list", "--json-lines", f"{world.repository}::{archive or world.archives()[-1]}").stdout
    return {json.loads(line)["path"] for line in found.splitlines()}


def _without(path: Path) -> str:
    return str(path).lstrip("/")


@pytest.mark.parametrize("pattern", ["sh:**/*.iso", "fm:*.iso", r"re:\.iso$", "re:(?i)ISO$"])
def test_an_exclude_leaves_out_nothing_of_another_source(world: World, pattern: str) -> None:
    isos = world.add_source("isos")
    inner = world.docs / "inner"
    world.config["sources"] |= {"docs": {"path": str(world.docs), "exclude": [pattern]}, "inner": {"path": str(inner)}}
    world.main["sources"].append("inner")
    world.fill(inner)
    world.write_config()
    for folder in (world.docs, isos, inner):
        (folder / "image.iso").write_text("precious")
    world.succeed("nightly")
    found = {path for path in _archived(world) if path.endswith(".iso")}
    assert found == {_without(isos / "image.iso"), _without(inner / "image.iso")}
    assert world.run("drill").returncode == 0
    # the plan shows what is run
    assert "re:^(?:" in world.succeed("nightly", "--dry-run").stdout


def test_a_source_that_another_ones_exclude_names_is_archived(world: World) -> None:
    inner = world.docs / "part 0"
    world.config["sources"] |= {
        "docs": {"path": str(world.docs), "exclude": [f"pp:{inner}"]},
        "inner": {"path": str(inner)},
    }
    world.main["sources"].append("inner")
    isos = world.add_source("isos", exclude=["sh:**/isos/*"])
    world.write_config()
    assert world.run("nightly").returncode == 1
    assert world.latest().messages[0].text.startswith(f"no file of source isos ({isos}) is archived")
    assert _without(inner / "file-0.txt") in _archived(world)


def test_the_only_sources_excludes_are_given_to_borg_as_written(world: World) -> None:
    world.config["sources"]["docs"]["exclude"] = ["sh:**/*.iso"]
    world.write_config()
    assert "--exclude 'sh:**/*.iso'" in world.succeed("nightly", "--dry-run").stdout


@pytest.fixture
def btrfs(tmp_path: Path) -> Iterator[Path]:
    """A Btrfs file system."""
    image, point = tmp_path / "btrfs.img", tmp_path / "btrfs"
    with image.open("wb") as file:
        file.truncate(200 << 20)
    subprocess.run(["mkfs.btrfs", "-q", image], check=True)
    point.mkdir()
    subprocess.run(["mount", "-o", "loop", image, point], check=True)
    yield point
    subprocess.run(["umount", "--recursive", "--lazy", point], check=True)


def _device(point: Path) -> str:
    found = ("findmnt", "--noheadings", "--output", "SOURCE", point)
    return subprocess.run(found, check=True, capture_output=True, text=True).stdout.strip()


def test_a_disk_that_is_unmounted_while_borg_reads_is_a_warning_and_not_lost_sight_of(
    world: World, btrfs: Path
) -> None:
    disk = world.docs / "disk"
    disk.mkdir()
    (btrfs / "precious").write_text("of great value")
    subprocess.run(["mount", _device(btrfs), disk], check=True)
    world.config["sources"]["docs"]["one_file_system"] = False
    world.write_config()
    world.succeed("nightly")
    assert _without(disk / "precious") in _archived(world)

    world.wrap_borg(f'[ "$1" != create ] || umount "{disk}"; exec "$BORG" "$@"')
    assert world.run("nightly").returncode == 1
    assert f"{disk} was unmounted while it was read" in world.latest().messages[0].text
    assert _without(disk / "precious") not in _archived(world)
    world.unwrap_borg()
    subprocess.run(["mount", _device(btrfs), disk], check=True)
    world.succeed("nightly", "--accept-size")
    subprocess.run(["umount", disk], check=True)
    assert world.run("nightly").returncode == 1
    assert f"{disk} was a file system of its own" in world.latest().messages[0].text


def test_a_btrfs_subvolume_is_named_until_it_is_excluded_or_asked_for_and_missed_when_it_is_not_mounted(
    world: World, btrfs: Path
) -> None:
    top, mounted = btrfs / "data", btrfs / "data" / "mounted"
    world.fill(top)
    for subvolume in (top / "home", btrfs / "@mounted"):
        subprocess.run(["btrfs", "subvolume", "create", subvolume], check=True, capture_output=True)
        (subvolume / "precious").write_text("x")
    mounted.mkdir()
    subprocess.run(["mount", "-o", "subvol=@mounted", _device(btrfs), mounted], check=True)
    world.config["sources"]["docs"] = {"path": str(top)}
    world.write_config()
    assert world.run("nightly").returncode == 1
    run = world.latest()
    assert run.outcome is Outcome.WARNING
    said = f"not archived, as on a file system of its own (a Btrfs subvolume, say): {top}/home, {mounted};"
    assert run.messages[0].text.startswith(said)
    assert _without(top / "home" / "precious") not in _archived(world)

    world.config["sources"]["docs"]["exclude"] = [f"pp:{top}/home", f"pp:{mounted}"]
    world.write_config()
    world.succeed("nightly")

    world.config["sources"]["docs"] = {"path": str(top), "one_file_system": False}
    world.write_config()
    world.succeed("nightly", "--accept-size")
    assert {_without(folder / "precious") for folder in (top / "home", mounted)} <= _archived(world)
    held, archive = world.latest().archive, world.archives()[-1]
    assert held is not None
    assert held.roots[0].mounts == (str(mounted),)

    subprocess.run(["umount", mounted], check=True)
    assert world.run("nightly").returncode == 1
    said = f"{mounted} was a file system of its own when {archive} was made, and is none now: is it mounted?"
    assert world.latest().messages[0].text.startswith(said)
    world.succeed("nightly")


def _two_repositories(world: World, first: Path, second: Path) -> None:
    """Move the site's repository to `first` and make another at `second`; both archive the same source."""
    first.parent.mkdir(parents=True, exist_ok=True)
    world.repository.rename(first)
    make_repository(second, borg_environment(world.base))
    world.repository = first
    world.main["path"] = str(first)
    world.config["repositories"]["second"] = {**world.main, "path": str(second)}
    world.write_config()


@pytest.mark.parametrize("linked", [False, True], ids=["plain", "linked"])
def test_repositories_in_each_others_sources_do_not_archive_each_other(world: World, linked: bool) -> None:
    first, second = world.docs / "r" / "a", world.docs / "r" / "b"
    _two_repositories(world, first, second)
    if linked:
        (world.root / "link").symlink_to(world.docs / "r")
        world.repository = world.root / "link" / "a"
        world.main["path"] = str(world.repository)
        world.config["repositories"]["second"]["path"] = str(world.root / "link" / "b")
        world.write_config()
        shutil.rmtree(world.base)  # where borg remembers the other path
        world.base.mkdir()
    done = world.run("nightly")
    assert done.returncode == 1, done.stderr
    assert f"the repository second ({second}) lies in source docs and is not archived" in done.stderr
    assert f"the repository main ({first}) lies in source docs and is not archived" in done.stderr
    for archive in world.archives():
        assert not [path for path in _archived(world, archive) if "/r/b/" in path]
    world.config["sources"]["docs"]["exclude"] = [f"pp:{world.docs}/r"]
    world.write_config()
    world.succeed("nightly")


def test_a_repository_that_does_not_archive_in_turn_may_be_archived(world: World) -> None:
    _two_repositories(world, world.root / "a", world.docs / "b")
    other = world.root / "other"
    world.fill(other)
    world.config["sources"]["other"] = {"path": str(other)}
    world.config["repositories"]["second"]["sources"] = ["other"]
    world.write_config()
    world.succeed("nightly")
    assert _without(world.docs / "b" / "config") in _archived(world)
