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


ODD = r"""
row() { printf '%s\ton\t-\toff\t%s\t0\t-\n' "$1" "$2"; }
case "$*" in
    *canmount*) row tank 1; row tank/odd 2; row tank/gone 3 ;;
    *name,mountpoint*) printf 'tank\t/tank\ntank/odd\t/new\ntank/gone\t/forged\ntank/gone\t/gone\n' ;;
    *value*tank/odd) printf '/new\ntank/gone\t/forged\n' ;;
    *value*tank/gone) echo "cannot open 'tank/gone': dataset does not exist" >&2; exit 1 ;;
    *value*tank) echo /tank ;;
esac
"""


def test_a_mount_point_with_a_line_feed_is_asked_for_by_itself(tmp_path: Path) -> None:
    zfs = Zfs(lambda _: None, programs=script(tmp_path, ODD))
    found = {each.name: each.mountpoint for each in zfs.datasets("tank")}
    assert found == {"tank": "/tank", "tank/odd": "/new\ntank/gone\t/forged"}


def test_what_refuses_while_mount_points_are_asked_for_is_an_error(tmp_path: Path) -> None:
    zfs = Zfs(lambda _: None, programs=script(tmp_path, ODD.replace("dataset does not exist", "I/O error")))
    with pytest.raises(ZfsError, match="I/O error"):
        zfs.datasets("tank")


def test_a_dataset_that_goes_between_two_questions_does_not_exist(tmp_path: Path) -> None:
    gone = "echo \"cannot open 'tank': dataset does not exist\" >&2; exit 1"
    text = f"""case "$*" in *canmount*) printf 'tank\\ton\\t-\\toff\\t1\\t0\\t-\\n' ;; *get*) {gone} ;; esac"""
    with pytest.raises(ZfsError) as caught:
        Zfs(lambda _: None, programs=script(tmp_path, text)).datasets("tank")
    assert caught.value.said == "cannot open 'tank': dataset does not exist"


def test_only_the_snapshots_of_that_name_are_counted(tmp_path: Path) -> None:
    text = "printf 'tank@bkp-1\\ntank@bkp-10\\ntank/a b@bkp-1\\ntank/c@daily\\n'"
    assert Zfs(lambda _: None, programs=script(tmp_path, text)).having("tank", "bkp-1") == {"tank", "tank/a b"}
