"""Which repositories would archive each other, seen on the names of a host and its mounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.config import parse_config
from runner.sources.each_other import each_other

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bkp.config.model import Config


def _config(sources: str, repositories: str) -> Config:
    return parse_config(f"schema: 1\nmail: {{when: never}}\nsources: {{{sources}}}\nrepositories: {{{repositories}}}\n")


def _found(config: Config, target: str, mounts: Mapping[str, Sequence[str]] | None = None) -> list[tuple[str, str]]:
    return [(each.repository, each.place) for each in each_other(config, target, mounts or {})]


def test_a_ring_of_three_is_broken_in_each_of_them(tmp_path: Path) -> None:
    places = {name: tmp_path / f"tree-{name}" for name in "abc"}
    for name, holder in (("a", "c"), ("b", "a"), ("c", "b")):
        (places[holder] / name).mkdir(parents=True)
    config = _config(
        ", ".join(f"s{name}: {{path: {path}}}" for name, path in places.items()),
        ", ".join(
            f"{name}: {{path: {places[holder]}/{name}, sources: [s{name}]}}"
            for name, holder in (("a", "c"), ("b", "a"), ("c", "b"))
        ),
    )
    assert _found(config, "a") == [("b", f"{places['a']}/b")]
    assert _found(config, "b") == [("c", f"{places['b']}/c")]
    assert _found(config, "c") == [("a", f"{places['c']}/a")]


def test_below_a_dataset_the_path_is_the_one_that_borg_reads(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / "tank" / name).mkdir(parents=True)
    repositories = ", ".join(f"{name}: {{path: {tmp_path}/tank/{name}, sources: [data]}}" for name in "ab")
    mounts = {"tank": (f"{tmp_path}/tank",)}
    live = _config("data: {dataset: tank}", repositories)
    assert _found(live, "a", mounts) == [("b", f"{tmp_path}/tank/b")]
    fixed = _config("data: {dataset: tank, mount_at: /run/bkp/data}", repositories)
    assert _found(fixed, "a", mounts) == [("b", "/run/bkp/data/b")]
    excluded = _config("data: {dataset: tank, mount_at: /run/bkp/data, exclude: ['pp:/run/bkp/data/b']}", repositories)
    assert _found(excluded, "a", mounts) == []


def test_one_that_is_archived_and_archives_nothing_in_turn_is_no_matter(tmp_path: Path) -> None:
    (tmp_path / "tree" / "b").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    config = _config(
        f"tree: {{path: {tmp_path}/tree}}, other: {{path: {tmp_path}/other}}",
        f"a: {{path: {tmp_path}/a, sources: [tree]}}, b: {{path: {tmp_path}/tree/b, sources: [other]}}",
    )
    assert _found(config, "a") == _found(config, "b") == []
