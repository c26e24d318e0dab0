"""A pv whose reader has gone is ended, so that syncoid goes on; one that works is left alone."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from bkp.tools.syncoid.stuck_pv import Process, read_processes, stuck, watched

if TYPE_CHECKING:
    from pathlib import Path

SYNCOID = [Process(10, "bkp-run", 1), Process(11, "syncoid", 10), Process(12, "sh", 11)]
PIPELINE = [Process(13, "ssh", 12), Process(14, "mbuffer", 12), Process(15, "pv", 12), Process(16, "zfs", 12)]


def test_only_a_pv_of_ours_without_a_zfs_behind_it_is_stuck() -> None:
    assert stuck([*SYNCOID, *PIPELINE], 10) == set()
    assert stuck([*SYNCOID, *PIPELINE[:3]], 10) == {15}
    assert stuck([*SYNCOID, PIPELINE[2], Process(20, "zfs", 1)], 10) == {15}
    assert stuck([*SYNCOID, PIPELINE[2]], 99) == set()
    assert stuck([Process(15, "pv", 12)], 10) == set()  # its parents cannot be seen


def test_a_process_with_an_odd_name_is_read_and_one_that_ends_is_left_out(tmp_path: Path) -> None:
    for pid, line in (("7", "7 (a) b (\n) S 3 7 7 0"), ("8", ""), ("self", "9 (x) S 1 ")):
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "stat").write_text(line)
    (tmp_path / "9").mkdir()
    assert read_processes(tmp_path) == [Process(7, "a) b (\n", 3)]


def test_a_pipeline_that_hangs_on_pv_ends_and_one_that_receives_is_not_touched(tmp_path: Path) -> None:
    """The stand-in for pv waits for ever once it has read all, as the real one does where nobody reads."""
    for name, script in (("pv", "cat >/dev/null; while :; do sleep 0.1; done"), ("zfs", "sleep 1; exit 0")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    said: list[str] = []

    with watched(said.append, seconds=0.1):
        subprocess.run(["sh", "-c", f"echo x | {tmp_path}/pv | exit 3"], check=False)
        assert len(said) == 1
        assert "ending it" in said[0]
        receiving = subprocess.Popen(["sh", "-c", f"echo x | {tmp_path}/pv | {tmp_path}/zfs"])
        (zfs_ended,) = [receiving.wait(timeout=60)]

    assert zfs_ended == 0
    assert len(said) == 2  # only after its zfs had ended
