"""Rows of `zpool list`, `zfs list` and `zfs get`."""

from datetime import UTC, datetime

import msgspec

from bkp.zfs_health.from_text import read_status
from bkp.zfs_health.listing import (
    DATASET_COLUMNS,
    read_datasets,
    read_pools,
    read_snapshots,
    with_snapshots,
    with_space,
)
from bkp.zfs_health.model import DatasetHealth, PoolSpace, Snapshots
from tests.support.zpool_written import WRITTEN

CELLAR = "cellar\t123\tONLINE\t1000\t800\t200\t80\t12\t-\t-\toff\n"


def dataset_row(**cells: str) -> str:
    return "\t".join(cells.get(column, "-") for column in DATASET_COLUMNS) + "\n"


def test_a_pool_is_read_in_bytes_and_ratios() -> None:
    pools, problems = read_pools(CELLAR)
    assert problems == ()
    assert pools == (
        PoolSpace(
            name="cellar", guid="123", health="ONLINE", size=1000, allocated=800, free=200, capacity=0.8,
            fragmentation=0.12, checkpoint=0, expandsize=0, readonly=False,
        ),
    )  # fmt: skip


def test_a_pool_that_cannot_be_opened_says_nothing_and_not_zero() -> None:
    pools, _ = read_pools("cellar\t-\tFAULTED" + "\t-" * 8 + "\n")
    assert pools == (PoolSpace(name="cellar", health="FAULTED"),)


def test_one_broken_row_takes_no_other_down() -> None:
    pools, problems = read_pools("attic\tONLINE\n" + CELLAR + "shed\t1\tONLI")
    assert [pool.name for pool in pools] == ["cellar"]
    assert len(problems) == 2


def test_space_joins_its_pool_and_a_pool_without_a_status_is_no_healthy_one() -> None:
    pools, _ = read_pools(CELLAR + CELLAR.replace("cellar", "attic"))
    reading = with_space(read_status(WRITTEN["clean"]), pools)
    assert [(pool.name, pool.guid, pool.suspended, pool.data_errors) for pool in reading.pools] == [
        ("cellar", "123", False, 0),
        ("attic", "123", None, None),
    ]
    assert reading.pools[0].space == pools[0]
    assert reading.pools[1].problems


def test_a_dataset_is_read_in_zfs_own_words() -> None:
    text = dataset_row(
        name="cellar/a b", type="filesystem", encryption="aes-256-gcm", encryptionroot="cellar/a b",
        keystatus="unavailable", mounted="no", mountpoint="/cellar/a b", canmount="noauto", readonly="on",
        quota="0", refquota="10", available="5", used="7",
        receive_resume_token="1-aaaa-bbbb",
    )  # fmt: skip
    datasets, problems = read_datasets(text)
    assert problems == ()
    assert datasets == (
        DatasetHealth(
            name="cellar/a b", kind="filesystem", encryption="aes-256-gcm", encryption_root="cellar/a b",
            key_status="unavailable", mounted=False, mountpoint="/cellar/a b", can_mount="noauto", readonly=True,
            quota=0, refquota=10, available=5, used=7, receiving=True,
        ),
    )  # fmt: skip
    assert b"aaaa" not in msgspec.json.encode(datasets)


def test_what_a_dataset_does_not_say_is_unknown() -> None:
    (dataset,), _ = read_datasets(dataset_row(name="cellar/v", mounted="perhaps"))
    assert (dataset.mounted, dataset.readonly, dataset.quota, dataset.used, dataset.key_status) == (None,) * 5
    assert dataset.receiving is False


def test_snapshots_are_counted_and_the_newest_is_known() -> None:
    found, problems = read_snapshots("cellar/a@x\t1700000000\ncellar/a@y\t1700000060\ncellar/b@x\t1700000000\n")
    assert problems == ()
    assert found["cellar/a"] == Snapshots(count=2, newest=datetime.fromtimestamp(1_700_000_060, UTC))
    datasets = (DatasetHealth(name="cellar/a"), DatasetHealth(name="cellar/c"))
    counted = with_snapshots(datasets, found, problems)
    assert [each.snapshots and each.snapshots.count for each in counted] == [2, 0]


def test_a_row_that_cannot_be_read_makes_no_dataset_one_without_snapshots() -> None:
    found, problems = read_snapshots("cellar/a@x\t1700000000\ncellar/c@\t17\t\ncellar/c@x\tnever\n")
    assert problems
    counted = with_snapshots([DatasetHealth(name="cellar/c")], found, problems)
    assert counted[0].snapshots is None


def test_no_rows_are_no_pools_and_no_problem() -> None:
    assert read_pools("") == ((), ())
