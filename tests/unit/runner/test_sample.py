"""The sample: drawn fairly, within its bounds, and never from what changed."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runner.sample import SampleDrawer, Tree, hash_file, read_hash

if TYPE_CHECKING:
    from bkp.state.records import SampleFile

ROOT = Path(__file__).resolve().parents[3]


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


def test_a_tree_of_which_nothing_but_folders_would_be_archived_is_named(tmp_path: Path) -> None:
    for name in ("files", "links", "folders", "excluded", "outer/inner"):
        (tmp_path / name / "deep").mkdir(parents=True)
    (tmp_path / "files/deep/x").write_text("x")
    (tmp_path / "links/deep/x").symlink_to("nowhere")
    (tmp_path / "excluded/deep/x.iso").write_text("x")
    roots = [str(tmp_path / name) for name in ("files", "links", "folders", "excluded", "outer", "outer/inner", "gone")]
    trees = [Tree(root, (f"sh:{tmp_path}/excluded/**/*.iso",), one_file_system=True) for root in roots]
    drawer = SampleDrawer(trees, files=1, total_bytes=1)
    drawer.start()
    assert drawer.without_files() == [roots[2], roots[3], roots[5], roots[6]]


def test_a_root_that_vanished_is_no_defect(tmp_path: Path) -> None:
    assert _draw(tmp_path / "gone") == ()


def test_the_walk_can_be_given_up(tmp_path: Path) -> None:
    _fill(tmp_path, 10)
    drawer = SampleDrawer([Tree(str(tmp_path), (), one_file_system=True)], files=1, total_bytes=1)
    drawer.cancel()
    drawer.start()
    drawer.cancel()


def test_a_file_that_cannot_be_read_is_left_out_and_a_drill_is_told_why() -> None:
    assert hash_file("/proc/self/mem", limit=10) is None
    with pytest.raises(OSError, match="Input/output error"):
        read_hash("/proc/self/mem")


# The kernel itself refuses getdents64(2): the folder opens, and reading what it holds is EIO.
_UNREADABLE_FOLDERS = """
import ctypes, errno, os, platform, struct, sys, time
number = {"x86_64": 217, "aarch64": 61, "armv7l": 217}[platform.machine()]
program = struct.pack(
    "HBBI" * 4, 0x20, 0, 0, 0, 0x15, 0, 1, number, 0x06, 0, 0, 0x00050000 | errno.EIO, 0x06, 0, 0, 0x7FFF0000
)
content = ctypes.create_string_buffer(program)
filter = ctypes.create_string_buffer(struct.pack("HP", 4, ctypes.addressof(content)))
from runner.sample import SampleDrawer, Tree
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, filter, 0, 0) == 0
try:
    list(os.scandir(sys.argv[1]))
except OSError as exc:
    print(exc.strerror)
drawer = SampleDrawer([Tree(sys.argv[1], (), True)], files=5, total_bytes=100)
drawer.start()
print(drawer.hashes(time.time_ns()), drawer.candidates)
"""


def test_a_folder_that_cannot_be_read_to_its_end_is_skipped(tmp_path: Path) -> None:
    _fill(tmp_path, 3)
    command = [sys.executable, "-c", _UNREADABLE_FOLDERS, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("Input/output error\n() 0\n", "")
