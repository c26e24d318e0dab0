"""How calls of zfs end: refused for certain, or killed while it may have done its work."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bkp.tools.zfs.client import Zfs, ZfsError, dataset_of
from bkp.tools.zfs.commands import Programs

if TYPE_CHECKING:
    from pathlib import Path


def script(folder: Path, text: str) -> Programs:
    program = folder / "zfs"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return Programs(zfs=str(program))


@pytest.mark.parametrize(
    ("text", "timeout", "ended"), [("exit 1", 60, True), ("kill -KILL $$", 60, False), ("exec sleep 60", 0.2, False)]
)
def test_only_a_zfs_that_ended_by_itself_has_refused_for_certain(
    tmp_path: Path, text: str, timeout: float, ended: bool
) -> None:
    zfs = Zfs(lambda _: None, programs=script(tmp_path, text), timeout=timeout)
    with pytest.raises(ZfsError) as caught:
        zfs.call(("zfs", "snapshot", "tank@a"), "cannot snapshot tank")
    assert caught.value.ended is ended


def test_the_dataset_of_a_path_is_that_of_its_device(tmp_path: Path) -> None:
    device = tmp_path.stat().st_dev
    table = f"1 0 {os.major(device)}:{os.minor(device)} / / rw - zfs tank/here rw"
    assert dataset_of(tmp_path, table) == "tank/here"
    assert dataset_of(tmp_path, table.replace("zfs", "ext4")) is None
    with pytest.raises(FileNotFoundError):
        dataset_of(tmp_path / "nowhere", table)
