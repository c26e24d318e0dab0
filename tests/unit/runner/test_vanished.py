"""What earlier archives hold and tonight's will not: what is said of it, how often, and when nothing is."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bkp.config.repositories import Source
from bkp.state.fields import Outcome
from bkp.state.results import Root
from runner.jobs.nightly.vanished import Held, good_before, held_in, made_anew, unmounted_since, with_vanished
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


def held_before(nights: list[Run]) -> dict[tuple[str, str], Held]:
    return held_in(good_before(nights, THIS))


def prepared(*left_out: Omitted, skip: tuple[str, ...] = (), problem: str | None = None) -> PreparedSource:
    source = Source(dataset=TOP, skip=skip)
    return PreparedSource("data", source, (PreparedRoot("/tank/data", TOP, problem),), left_out)


def test_of_each_dataset_the_newest_good_archive_is_known() -> None:
    nights = [a_night_of(0, TOP, CHILD), a_night_of(1, TOP, CHILD), a_night_of(2, TOP)]
    assert held_before(nights) == {
        ("data", TOP): Held("a-2", lately=True),
        ("data", CHILD): Held("a-1", lately=False),
    }
    assert held_before([]) == {}


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
    assert held_before([a_night_of(0, TOP), night]).keys() == {("data", TOP)}


def test_a_good_archive_counts_though_its_night_failed_later_on() -> None:
    failed = a_night_of(1, TOP, CHILD, outcome=Outcome.FAILURE)
    assert held_before([a_night_of(0, TOP), failed]).keys() == {("data", TOP), ("data", CHILD)}


def test_archives_of_another_repository_say_nothing() -> None:
    assert held_in(good_before([a_night_of(0, TOP, CHILD)], "another")) == {}


def test_one_that_is_gone_is_named_after_the_last_archive_and_not_again() -> None:
    held = held_before([a_night_of(0, TOP, CHILD)])
    (out,) = with_vanished(prepared(), held).left_out
    assert (out.dataset, out.warn) == (CHILD, True)
    assert out.reason.endswith("a-0 holds it")
    assert with_vanished(prepared(), held_before([a_night_of(0, TOP, CHILD), a_night_of(1, TOP)])).left_out == ()


def test_one_that_is_left_out_with_a_warning_is_told_from_one_that_never_was_archived() -> None:
    out = Omitted(CHILD, "it is still being received", warn=True)
    held = held_before([a_night_of(0, TOP, CHILD), a_night_of(1, TOP)])
    (again,) = with_vanished(prepared(out), held).left_out
    assert again.reason == "it is still being received; it was archived before, at last in a-0"
    assert with_vanished(prepared(out), {}).left_out == (out,)


def test_one_that_is_left_out_without_a_warning_warns_in_the_first_night() -> None:
    out = Omitted(CHILD, "canmount=off", warn=False)
    nights = [a_night_of(0, TOP, CHILD), a_night_of(1, TOP)]
    assert [each.warn for each in with_vanished(prepared(out), held_before(nights[:1])).left_out] == [True]
    assert with_vanished(prepared(out), held_before(nights)).left_out == (out,)


@pytest.mark.parametrize("skip", [CHILD, f"{TOP}/chi", f"{TOP}/child/deep"])
def test_only_what_is_skipped_is_meant(skip: str) -> None:
    held = held_before([a_night_of(0, TOP, CHILD)])
    assert bool(with_vanished(prepared(skip=(skip,)), held).left_out) is (skip != CHILD)


def test_what_the_source_no_longer_is_about_is_not_missed() -> None:
    held = held_before([a_night_of(0, "tank/old", "tank/database")])
    assert with_vanished(prepared(), held).left_out == ()
    assert with_vanished(prepared(), {("another", CHILD): Held("a-0", lately=True)}).left_out == ()
    directory = PreparedSource("data", Source(path="/tank/data"), (PreparedRoot("/tank/data"),))
    assert with_vanished(directory, held) == directory


def test_of_a_source_that_is_missing_as_a_whole_its_children_are_not_counted_up() -> None:
    held = held_before([a_night_of(0, TOP, CHILD)])
    assert with_vanished(prepared(problem="does not exist"), held).left_out == ()


def test_one_that_was_made_anew_under_its_name_is_told_once() -> None:
    def night_with(day: int, guid: str | None) -> Run:
        return a_night_of(day, roots=(Root(source="data", path="/tank/data", present=True, dataset=TOP, guid=guid),))

    tonight = PreparedSource("data", Source(dataset=TOP), (PreparedRoot("/tank/data", TOP, guid="2"),))
    (said,) = made_anew(tonight, held_before([night_with(0, "1")]))
    assert said.startswith(f"{TOP} is another dataset than the one in a-0")
    for known in ("2", None):
        assert made_anew(tonight, held_before([night_with(0, "1"), night_with(1, known)])) == []


def test_a_disk_that_was_mounted_in_the_newest_good_archive_and_is_not_tonight_is_told_once() -> None:
    def night_with(day: int, *mounts: str, suspicion: str | None = None) -> Run:
        roots = (Root(source="docs", path="/srv/docs", present=True, mounts=mounts),)
        return a_night_of(day, roots=roots, size_suspicion=suspicion)

    def said(*nights: Run, mounts: tuple[str, ...] = (), exclude: tuple[str, ...] = (), one: bool = False) -> list[str]:
        source = Source(path="/srv/docs", one_file_system=one, exclude=exclude)
        tonight = PreparedSource("docs", source, (PreparedRoot("/srv/docs", mounts=mounts),))
        return [place for place, _ in unmounted_since([tonight], good_before(nights, THIS))]

    both = night_with(0, "/srv/docs", "/srv/docs/photos")
    assert said(both) == ["/srv/docs", "/srv/docs/photos"]
    assert said(both, mounts=("/srv/docs", "/srv/docs/photos", "/srv/docs/new")) == []
    assert said(both, night_with(1, "/srv/docs")) == ["/srv/docs"]
    assert said(both, night_with(1, suspicion="too small")) == ["/srv/docs", "/srv/docs/photos"]
    assert said(both, mounts=("/srv/docs",), exclude=("pp:/srv/docs/photos",)) == []
    assert said(both, mounts=("/srv/docs",), one=True) == []
    assert said() == []
    missing = PreparedSource("docs", Source(path="/srv/docs"), (PreparedRoot("/srv/docs", problem="is empty"),))
    assert unmounted_since([missing], good_before([both], THIS)) == []
