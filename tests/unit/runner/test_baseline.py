"""When an archive is suspiciously small, and what never becomes the usual size."""

from __future__ import annotations

from datetime import UTC, datetime

from bkp.liveness import this_process
from bkp.state.archives import COMPARED
from bkp.state.fields import Outcome
from bkp.state.records import Run
from bkp.state.results import Archive
from runner.jobs.nightly.baseline import suspicion
from tests.support import records

START = datetime(2027, 1, 1, 1, 30, tzinfo=UTC)


def an_archive(
    files: int, size: int = 1000, *, suspicious: str | None = None, accepted: bool = False, confirmed: bool = True
) -> Archive:
    return Archive(
        name="a",
        id="b",
        started_at=START,
        ended_at=START,
        files=files,
        original_bytes=size,
        compressed_bytes=size,
        deduplicated_bytes=0,
        confirmed=confirmed,
        size_suspicion=suspicious,
        size_accepted=accepted,
    )


def a_night(archive: Archive | None, outcome: Outcome = Outcome.SUCCESS) -> Run:
    return Run(
        run_id="r",
        job="nightly",
        target="main",
        host="h",
        outcome=outcome,
        started_at=START,
        process=this_process(),
        result=records.a_night(archive) if archive else None,
    )


USUAL = [a_night(an_archive(100))] * 3
SHRUNK = a_night(an_archive(10, suspicious="the archive has 10 files"), Outcome.WARNING)


def test_the_first_nights_are_compared_with_nothing() -> None:
    assert suspicion(an_archive(1, 1), [], 0.5) is None
    assert suspicion(an_archive(1, 1), USUAL[:2], 0.5) is None


def test_it_is_compared_with_the_median_of_files_and_of_bytes() -> None:
    nights = [*USUAL[:2], a_night(an_archive(5000, 5))]
    assert suspicion(an_archive(50, 500), nights, 0.5) is None
    assert suspicion(an_archive(49, 500), nights, 0.5) == "the archive has 49 files where 100 are usual"
    assert suspicion(an_archive(50, 499), nights, 0.5) == "the archive has 499 bytes where 1,000 are usual"


def test_a_tolerance_of_all_switches_the_comparison_off() -> None:
    assert suspicion(an_archive(0, 0), USUAL, 1.0) is None
    assert suspicion(an_archive(0, 0), None, 1.0) is None


def test_nights_that_were_suspicious_never_become_the_usual_ones_however_many() -> None:
    assert suspicion(an_archive(10), [*USUAL, *[SHRUNK] * 390], 0.5) == "the archive has 10 files where 100 are usual"


def test_where_only_suspicious_nights_are_left_to_compare_with_it_stays_suspicious() -> None:
    assert suspicion(an_archive(10), [SHRUNK] * 400, 0.5) == "the nights before were suspiciously small already"


def test_a_size_that_somebody_accepted_is_the_usual_one_from_then_on() -> None:
    accepted = a_night(an_archive(10, accepted=True))
    nights = [*USUAL * 10, SHRUNK, accepted]
    assert suspicion(an_archive(10), nights, 0.5) is None
    nights += [a_night(an_archive(10))] * 2
    assert suspicion(an_archive(10), nights, 0.5) is None
    assert suspicion(an_archive(4), nights, 0.5) == "the archive has 4 files where 10 are usual"


def test_only_the_last_good_nights_count_so_that_a_tree_may_shrink_slowly() -> None:
    nights = [*[a_night(an_archive(1000))] * 100, *[a_night(an_archive(100))] * COMPARED]
    assert suspicion(an_archive(60), nights, 0.5) is None


def test_failed_and_unconfirmed_nights_are_no_measure() -> None:
    nights = [*USUAL, *[a_night(an_archive(1), Outcome.FAILURE)] * 9, *[a_night(an_archive(1, confirmed=False))] * 9]
    assert suspicion(an_archive(10), nights, 0.5) == "the archive has 10 files where 100 are usual"
    assert suspicion(an_archive(10), [a_night(None)] * 9, 0.5) is None


def test_a_history_that_cannot_be_read_is_no_proof_that_all_is_as_usual() -> None:
    assert suspicion(an_archive(100), None, 0.5) == "the history cannot be read, so what is usual is not known"
