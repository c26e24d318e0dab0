"""What earlier archives hold and tonight's will not: what is said of it, how often, and when nothing is."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bkp.config.repositories import Source
from bkp.state.fields import Outcome
from bkp.state.results import Root
from runner.jobs.nightly.vanished import Held, held_before, with_vanished
from runner.sources.base import Omitted, PreparedRoot, PreparedSource
from tests.support.records import START, a_night, a_repository, a_run, an_archive

if TYPE_CHECKING:
    from bkp.state.records import Run

TOP, CHILD = "tank/data", "tank/data/child"
THIS = a_repository().id


def a_night_of(day: int, *datasets: str, outcome: Outcome = Outcome.SUCCESS, **changes: object) -> Run:
    started = START + timedelta(days=day)
    roots = tuple(Root(source="data", path=f"/{each}", present=True, dataset=each) for each in datasets)
    archive = an_archive(started, **{"roots": roots, "name": f"a-{day}", **changes})
    return a_run(started=started, outcome=outcome, result=a_night(archive), subject=THIS)


def prepared(*left_out: Omitted, skip: tuple[str, ...] = (), problem: str | None = None) -> PreparedSource:
    source = Source(dataset=TOP, skip=skip)
    return PreparedSource("data", source, (PreparedRoot("/tank/data", TOP, problem),), left_out)


def test_of_each_dataset_the_newest_good_archive_is_known() -> None:
    nights = [a_night_of(0, TOP, CHILD), a_night_of(1, TOP, CHILD), a_night_of(2, TOP)]
    assert held_before(nights, THIS) == {
        ("data", TOP): Held("a-2", lately=True),
        ("data", CHILD): Held("a-1", lately=False),
    }
    assert held_before([], THIS) == {}


@pytest.mark.parametrize(
    "night",
    [
        a_night_of(1, TOP, CHILD, confirmed=False),
        a_night_of(1, TOP, CHILD, size_suspicion="smaller than usual"),
        a_night_of(1, TOP, CHILD, name="unproven-a-1"),
        a_night_of(1, roots=(Root(source="data", path="/tank/data/child", present=False, dataset=CHILD),)),
        a_night_of(1, roots=(Root(source="data", path="/tank/data/child", present=True),)),
    ],
    ids=["unconfirmed", "suspicious", "unproven", "lacking it", "a directory"],
)
def test_what_is_no_good_archive_of_it_says_nothing(night: Run) -> None:
    assert held_before([a_night_of(0, TOP), night], THIS).keys() == {("data", TOP)}


def test_a_good_archive_counts_though_its_night_failed_later_on() -> None:
    failed = a_night_of(1, TOP, CHILD, outcome=Outcome.FAILURE)
    assert held_before([a_night_of(0, TOP), failed], THIS).keys() == {("data", TOP), ("data", CHILD)}


def test_archives_of_another_repository_say_nothing() -> None:
    assert held_before([a_night_of(0, TOP, CHILD)], "another") == {}


def test_one_that_is_gone_is_named_after_the_last_archive_and_not_again() -> None:
    held = held_before([a_night_of(0, TOP, CHILD)], THIS)
    (out,) = with_vanished(prepared(), held).left_out
    assert (out.dataset, out.warn) == (CHILD, True)
    assert out.reason.endswith("a-0 holds it")
    assert with_vanished(prepared(), held_before([a_night_of(0, TOP, CHILD), a_night_of(1, TOP)], THIS)).left_out == ()


def test_one_that_is_left_out_with_a_warning_is_told_from_one_that_never_was_archived() -> None:
    out = Omitted(CHILD, "it is still being received", warn=True)
    held = held_before([a_night_of(0, TOP, CHILD), a_night_of(1, TOP)], THIS)
    (again,) = with_vanished(prepared(out), held).left_out
    assert again.reason == "it is still being received; it was archived before, at last in a-0"
    assert with_vanished(prepared(out), {}).left_out == (out,)


def test_one_that_is_left_out_without_a_warning_warns_in_the_first_night() -> None:
    out = Omitted(CHILD, "canmount=off", warn=False)
    nights = [a_night_of(0, TOP, CHILD), a_night_of(1, TOP)]
    assert [each.warn for each in with_vanished(prepared(out), held_before(nights[:1], THIS)).left_out] == [True]
    assert with_vanished(prepared(out), held_before(nights, THIS)).left_out == (out,)


@pytest.mark.parametrize("skip", [CHILD, f"{TOP}/chi", f"{TOP}/child/deep"])
def test_only_what_is_skipped_is_meant(skip: str) -> None:
    held = held_before([a_night_of(0, TOP, CHILD)], THIS)
    assert bool(with_vanished(prepared(skip=(skip,)), held).left_out) is (skip != CHILD)


def test_what_the_source_no_longer_is_about_is_not_missed() -> None:
    held = held_before([a_night_of(0, "tank/old", "tank/database")], THIS)
    assert with_vanished(prepared(), held).left_out == ()
    assert with_vanished(prepared(), {("another", CHILD): Held("a-0", lately=True)}).left_out == ()
    directory = PreparedSource("data", Source(path="/tank/data"), (PreparedRoot("/tank/data"),))
    assert with_vanished(directory, held) == directory


def test_of_a_source_that_is_missing_as_a_whole_its_children_are_not_counted_up() -> None:
    held = held_before([a_night_of(0, TOP, CHILD)], THIS)
    assert with_vanished(prepared(problem="does not exist"), held).left_out == ()
