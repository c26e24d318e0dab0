"""Which received snapshots a night archives, and whose holds are let go: seen on what zfs lists."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bkp.errors import StepFailedError
from bkp.state.records import Process
from bkp.tools.zfs.replies import Dataset, Snapshot, parse_holds, parse_snapshots
from runner.sources.marks import dead_holds, tag_of
from runner.sources.received import choose
from runner.sources.unheld import NOT_RECEIVED, NOT_REPLICATED, unreceived

DAY = datetime(2026, 11, 27, 1, tzinfo=UTC)
PATIENCE = timedelta(hours=36)
PROCESS = Process(pid=4711, started_ticks=12345, boot_id="7d3c1d1e-0000-4000-8000-000000000001")


def snapshot(dataset: str, name: str, hours: float, txg: int | None = None) -> Snapshot:
    """Return a snapshot that the live server made so many hours before `DAY`."""
    made = DAY - timedelta(hours=hours)
    return Snapshot(dataset, name, f"{dataset}{name}", made, 10_000 - int(hours * 10) if txg is None else txg)


def chosen(*snapshots: Snapshot) -> dict[str, str]:
    return {dataset: each.name for dataset, each in choose(snapshots, PATIENCE).items()}


def test_a_recursive_snapshot_is_taken_as_a_whole_while_a_pull_is_half_way() -> None:
    today, yesterday = [snapshot("t", "today", 0)], [snapshot(each, "yesterday", 24) for each in ("t", "t/a", "t/b")]
    assert chosen(*today, *yesterday) == {"t": "yesterday", "t/a": "yesterday", "t/b": "yesterday"}
    whole = [snapshot(each, "today", 0) for each in ("t", "t/a", "t/b")]
    assert chosen(*whole, *yesterday) == {"t": "today", "t/a": "today", "t/b": "today"}


def test_snapshots_of_syncoids_own_have_a_name_for_each_dataset() -> None:
    found = chosen(snapshot("t", "s:01", 0), snapshot("t/a", "s:02", 0), snapshot("t", "s:00", 24))
    assert found == {"t": "s:01", "t/a": "s:02"}


def test_one_name_that_is_old_takes_nobody_into_the_past() -> None:
    monthly = [snapshot(each, "monthly", 600) for each in ("t", "t/a")]
    assert chosen(*monthly, snapshot("t", "s:01", 0), snapshot("t/a", "s:02", 0)) == {"t": "s:01", "t/a": "s:02"}


def test_a_dataset_that_is_pulled_no_more_has_no_say_and_is_archived_as_it_was() -> None:
    whole = [snapshot(each, "today", 0) for each in ("t", "t/a")]
    assert chosen(*whole, snapshot("t/dead", "last", 900)) == {"t": "today", "t/a": "today", "t/dead": "last"}


def test_the_order_is_that_of_arrival_where_times_are_equal_or_lie() -> None:
    assert chosen(snapshot("t", "b", 0, txg=5), snapshot("t", "a", 0, txg=6)) == {"t": "a"}


def test_a_snapshot_that_a_night_of_before_left_is_none_that_was_received() -> None:
    assert chosen(snapshot("t", "bkp-20261127T023000Z-0a1b2c3d", -1), snapshot("t", "today", 0)) == {"t": "today"}
    assert chosen(snapshot("t", "bkp-20261127T023000Z-0a1b2c3d", -1)) == {}
    assert chosen() == {}


def test_what_was_not_received_says_why() -> None:
    def dataset(name: str, *, receiving: bool = False) -> Dataset:
        return Dataset(name, f"/{name}", "noauto", "off", None, "1", receiving, receiving)

    there = [dataset("t"), dataset("t/new", receiving=True), dataset("t/own")]
    found = unreceived(there, {"t"}, None)
    assert set(found) == {"t/new", "t/own"}
    assert found["t/own"] == NOT_RECEIVED
    assert "still being received" in found["t/new"].reason
    assert "zfs receive -A t/new" in found["t/new"].reason
    assert unreceived(there, {"t", "t/own"}, "t") == {"t/new": NOT_REPLICATED, "t/own": NOT_REPLICATED}


def test_only_the_hold_of_a_dead_run_of_this_host_is_let_go() -> None:
    ours = tag_of("20261127T023000Z-0a1b2c3d", PROCESS, "0123456789abcdef")
    holds = [("t@a", ours), ("t/x@a", ours), ("t@a", "keep"), ("t@a", ours.replace("0123", "3210")), ("t@a", "bkp:x")]
    assert dead_holds(holds, "0123456789abcdef", lambda _: False) == {ours: ["t@a", "t/x@a"]}
    assert dead_holds(holds, "0123456789abcdef", lambda _: None) == {}
    assert dead_holds([("t@a", ours.replace("4711", "-1"))], "0123456789abcdef", lambda _: False) == {}
    assert len(ours) < 200  # a tag may have 255 bytes with what zfs puts in front


def test_what_zfs_lists_is_read_and_another_form_is_an_error() -> None:
    (found,) = parse_snapshots("tank/a b@x y\t17\t1764205261\t900\t2\n")
    assert (found.dataset, found.name, found.createtxg, found.holds) == ("tank/a b", "x y", 900, 2)
    assert found.created_at == datetime(2025, 11, 27, 1, 1, 1, tzinfo=UTC)
    assert parse_snapshots("") == []
    assert parse_holds("t@a\tkeep\tFri Nov 27  1:00 2026\n") == [("t@a", "keep")]
    for odd in ("t@a\t17\tFri Nov\t900\t2\n", "t@a\t17\n", "t@a\t17\t99999999999999999999\t1\t0\n"):
        with pytest.raises(StepFailedError):
            parse_snapshots(odd)
