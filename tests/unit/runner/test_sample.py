"""The sample: drawn fairly, within its bounds, and never from what changed."""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections import Counter
from typing import TYPE_CHECKING

from runner.sample import SampleDrawer, Tree, hash_file

if TYPE_CHECKING:
    from pathlib import Path

    from bkp.state.records import SampleFile


def _draw(folder: Path, *, files: int = 100, total_bytes: int = 1 << 30, seed: int = 1) -> tuple[SampleFile, ...]:
    tree = Tree(str(folder), (), one_file_system=True)
    drawer = SampleDrawer([tree], files=files, total_bytes=total_bytes, rng=random.Random(seed))
    drawer.start()
    return drawer.hashes(time.time_ns() + 10**9)


def _fill(folder: Path, count: int, size: int = 10) -> None:
    for number in range(count):
        (folder / f"{number:03}").write_bytes(bytes([number % 256]) * size)


def test_small_trees_are_drawn_whole_in_path_order_with_size_and_hash(tmp_path: Path) -> None:
    _fill(tmp_path, 5)
    found = _draw(tmp_path)
    assert [file.path for file in found] == [f"{tmp_path}/{number:03}".lstrip("/") for number in range(5)]
    assert [(file.bytes, file.sha256) for file in found] == [
        (10, hashlib.sha256(bytes([number]) * 10).hexdigest()) for number in range(5)
    ]


def test_every_file_of_a_large_tree_has_the_same_chance(tmp_path: Path) -> None:
    _fill(tmp_path, 60)
    drawn = Counter(file.path for seed in range(300) for file in _draw(tmp_path, files=3, seed=seed))
    assert len(drawn) == 60, "every file can be drawn"
    assert sum(drawn.values()) == 900
    # 15 are expected of each; these bounds are over five standard deviations away
    assert min(drawn.values()) > 0
    assert max(drawn.values()) < 36


def test_the_sample_stays_within_its_number_and_size(tmp_path: Path) -> None:
    _fill(tmp_path, 50, size=1000)
    assert len(_draw(tmp_path, files=7)) == 7
    small = _draw(tmp_path, total_bytes=4500)
    assert sum(file.bytes for file in small) <= 4500
    assert len(small) == 4
    assert _draw(tmp_path, total_bytes=999) == ()


def test_links_and_special_files_are_not_followed_nor_opened(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tmp_path / "outside").write_text("x")
    (tree / "link").symlink_to(tmp_path / "outside")
    (tree / "folder-link").symlink_to(tmp_path)
    os.mkfifo(tree / "fifo")
    assert _draw(tree) == ()
    assert hash_file(str(tree / "link"), limit=10) is None
    assert hash_file(str(tree / "fifo"), limit=10) is None
    assert hash_file(str(tree / "gone"), limit=10) is None


def test_what_changed_since_the_run_began_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("x")
    changed = path.stat().st_ctime_ns
    assert hash_file(str(path), limit=10, unchanged_since_ns=changed) is None
    assert hash_file(str(path), limit=10, unchanged_since_ns=changed + 1) is not None
    os.utime(path, (0, 0))  # its modification time may lie, its change time does not
    assert hash_file(str(path), limit=10, unchanged_since_ns=changed + 1) is None


def test_a_root_that_vanished_is_no_defect(tmp_path: Path) -> None:
    assert _draw(tmp_path / "gone") == ()


def test_the_walk_can_be_given_up(tmp_path: Path) -> None:
    _fill(tmp_path, 10)
    drawer = SampleDrawer([Tree(str(tmp_path), (), one_file_system=True)], files=1, total_bytes=1)
    drawer.cancel()
    drawer.start()
    drawer.cancel()
