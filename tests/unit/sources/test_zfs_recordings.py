"""Values that the real ZFS 2.1 and 2.3 have printed in the lab, brought into the columns that we ask for."""

import json
from pathlib import Path

import pytest

from bkp.tools.zfs.commands import DATASET_COLUMNS
from bkp.tools.zfs.replies import Dataset, parse_datasets
from runner.sources.plan import plan

RECORDED = Path(__file__).resolve().parents[2] / "fixtures/zfs"
RELEASES = ["bookworm", "trixie"]
BACKUP = "tank/Secure/backup"


def recorded(release: str, state: str) -> tuple[list[Dataset], dict[str, tuple[str, ...]]]:
    """Return the file systems of `zfs get all`, and where they were mounted."""
    said = json.loads((RECORDED / release / f"{state}.zfs-get-Hp-all.json").read_text())["stdout"]
    values: dict[str, dict[str, str]] = {}
    for line in said.splitlines():
        name, key, value, _source = line.split("\t")
        values.setdefault(name, {"name": name})[key] = value
    below = [each for each in values.values() if f"{each['name']}/".startswith(f"{BACKUP}/")]
    below = [{"mountpoint": "-", **each} for each in below]
    rows = ("\t".join(each.get(column, "-") for column in DATASET_COLUMNS) for each in below)
    points = {each["name"]: each["mountpoint"] for each in below}
    mounts: dict[str, tuple[str, ...]] = {
        each["name"]: (each["mountpoint"],) for each in below if each.get("mounted") == "yes"
    }
    return parse_datasets("".join(f"{row}\n" for row in rows), points), mounts


@pytest.mark.parametrize("release", RELEASES)
def test_of_an_unlocked_pool_every_dataset_is_archived_or_named(release: str) -> None:
    datasets, mounts = recorded(release, "unlocked")
    assert all(each.key_loaded for each in datasets)
    found = plan(datasets, mounts)
    assert {root.dataset for root in found.roots} | {each.dataset for each in found.left_out} == {
        each.name for each in datasets
    }
    assert {f"{BACKUP}/{name}" for name in ("never-mounted", "no-mountpoint")} <= {
        each.dataset for each in found.left_out
    }
    assert [root.problem for root in found.roots] == [None] * len(found.roots)
    assert found.roots[0].path == f"/{BACKUP}"


@pytest.mark.parametrize("release", RELEASES)
def test_of_a_locked_pool_nothing_is_archived_and_every_root_says_why(release: str) -> None:
    datasets, mounts = recorded(release, "locked")
    assert mounts == {}
    assert not any(each.key_loaded for each in datasets)
    roots = plan(datasets, mounts).roots
    assert f"/{BACKUP}" in [root.path for root in roots]
    assert all(root.problem and root.problem.startswith("is locked") for root in roots)
