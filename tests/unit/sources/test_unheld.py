"""Which datasets the snapshot does not hold, and the one reason for each."""

from __future__ import annotations

import pytest

from bkp.tools.zfs.replies import Dataset
from runner.sources.unheld import GONE, NEW, RECEIVED, Unheld, unheld

TOP, CHILD = "tank/data", "tank/data/child"


def a_dataset(name: str = CHILD, guid: str = "1", *, receiving: bool = False, resumable: bool = False) -> Dataset:
    return Dataset(name, f"/{name}", "on", "off", None, guid, receiving, resumable)


def why(before: Dataset | None, after: Dataset | None) -> Unheld:
    """Return why the child is not held, while the dataset above it is."""
    top = a_dataset(TOP, "9")
    lists = [[top, *([each] if each else [])] for each in (before, after)]
    found = unheld(lists[0], lists[1], {TOP})
    assert set(found) == {CHILD}
    return found[CHILD]


def test_what_is_held_needs_no_reason() -> None:
    assert unheld([a_dataset()], [a_dataset()], {CHILD}) == {}


def test_one_that_went_one_that_came_and_one_that_came_in_its_place() -> None:
    assert why(a_dataset(), None) == GONE
    assert why(None, a_dataset()) == NEW
    assert why(a_dataset(guid="1"), a_dataset(guid="2")) == NEW


@pytest.mark.parametrize("before", [None, a_dataset(), a_dataset(receiving=True)])
def test_one_that_is_being_received_is_no_lost_one(before: Dataset | None) -> None:
    found = why(before, a_dataset(receiving=True))
    assert "is still being received" in found.reason
    assert "zfs receive -A" not in found.reason
    assert not found.lost


def test_a_receive_that_may_have_been_cut_off_comes_with_the_way_out() -> None:
    assert f"`zfs receive -A {CHILD}`" in why(None, a_dataset(receiving=True, resumable=True)).reason


def test_one_whose_receive_has_just_ended_lost_nothing() -> None:
    assert why(a_dataset(receiving=True), a_dataset()) == RECEIVED


@pytest.mark.parametrize("resumable", [False, True])
def test_one_that_was_there_all_the_time_has_lost_its_snapshot(resumable: bool) -> None:
    found = why(a_dataset(resumable=resumable), a_dataset(resumable=resumable))
    assert found.lost
    assert "`zpool history -i tank`" in found.reason
