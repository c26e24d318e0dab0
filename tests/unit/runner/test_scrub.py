"""When a scrub may begin, how the one of a run stands, and when it stands aside: functions of what a pool says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from bkp.observations import PoolSeen
from bkp.state.fields import Outcome
from bkp.state.results import ScrubResult
from bkp.zfs_health.attached import read_attached
from bkp.zfs_health.model import PoolHealth, Scan
from runner.jobs.scrub.judgement import hindrance, standing
from runner.jobs.scrub.pauses import stands_aside
from tests.support.observed import LEFT, RIGHT, a_pool, a_pool_seen, a_tree, a_vdev
from tests.support.probe_world import a_config, recorded
from tests.support.records import a_run

if TYPE_CHECKING:
    from bkp.state.records import Run

NOW = datetime(2026, 11, 25, 6, 0, tzinfo=UTC)
START = datetime.fromtimestamp(1_795_414_707, UTC)  # of the recorded scrubs
OURS = ScrubResult(started_at=START, previous_end=START - timedelta(days=6))


def pool_of(recording: str) -> PoolSeen:
    (pool,) = read_attached(recorded(f"zfs/{recording}").encode()).pools
    return PoolSeen(health=pool, devices={})


def changed(**changes: Any) -> PoolHealth:
    return a_pool(NOW, **changes)


@pytest.mark.parametrize(
    ("pool", "tested", "why"),
    [
        (changed(), (), None),
        (changed(), ("left",), "a self-test runs on left"),
        (changed(state="DEGRADED"), (), "the pool is DEGRADED"),
        (changed(suspended=True), (), "the pool is SUSPENDED"),
        (changed(state=None), (), "the pool is in an unknown state"),
        (changed(resilver=Scan(state="in progress")), (), "it resilvers"),
        (changed(error_scrub=Scan(state="in progress")), (), "an error scrub runs"),
        (changed(error_scrub=Scan(state="finished")), (), None),
        (changed(vdevs=(*a_tree(), a_vdev("s", "INUSE", vdev_class="spare"))), (), "a spare is in use"),
        (
            changed(vdevs=a_tree(LEFT, msgspec.structs.replace(RIGHT, state="FAULTED"))),
            (),
            "its device ata-RIGHT_02-part1 is FAULTED",
        ),
        (changed(vdevs=(*a_tree(), a_vdev("c", "UNAVAIL", vdev_class="cache"))), (), None),
        (changed(vdevs=(*a_tree(), a_vdev("s", "AVAIL", vdev_class="spare"))), (), None),
    ],
)
def test_a_scrub_begins_only_where_nothing_is_in_its_way(
    pool: PoolHealth, tested: tuple[str, ...], why: str | None
) -> None:
    assert hindrance(pool, tested) == why


@pytest.mark.parametrize("release", ["bookworm/{}.zpool-status-pv", "trixie/{}.zpool-status-j"])
def test_a_recorded_scrub_is_followed_over_its_pause_to_its_end(release: str) -> None:
    paused = standing(OURS, pool_of(release.format("scrub-paused")), {}, NOW)
    assert (paused.end, paused.result.paused_at is not None) == (None, True)
    running = standing(paused.result, pool_of(release.format("scrub-in-progress")), {}, NOW)
    assert (running.end, running.result.paused_at) == (None, None)
    assert running.result.progress is not None
    finished = standing(running.result, pool_of(release.format("online-scrubbed")), {}, NOW)
    assert finished.end == "finished"
    assert (finished.result.errors, finished.result.repaired_bytes, finished.result.finished) == (0, 0, True)
    assert finished.result.seconds
    assert finished.result.examined_bytes
    assert finished.result.bytes_per_second
    later = standing(finished.result, pool_of(release.format("scrub-repaired")), {}, NOW)
    assert (later.end, bool(later.result.repaired_bytes)) == ("finished", True)


@pytest.mark.parametrize(
    ("scan", "end"),
    [
        (Scan(state="finished", start=START, end=START + timedelta(hours=1), errors=0, repaired=0), "finished"),
        (Scan(state="finished", end=START + timedelta(hours=1), errors=0, repaired=0), "finished"),
        (Scan(state="canceled", start=START, end=START + timedelta(hours=1)), "canceled"),
        (Scan(state="finished", start=START - timedelta(days=7), end=START - timedelta(days=6)), "lost"),
        (Scan(state="finished", start=START, end=START - timedelta(hours=1), errors=0, repaired=0), "finished"),
        (Scan(state="finished"), "lost"),
        (Scan(state="never"), "lost"),
        (Scan(state="not told"), "displaced"),
        (Scan(state="unknown"), None),
        (Scan(state="in progress"), None),
        (Scan(state="paused", start=START, paused_at=NOW), None),
    ],
)
def test_only_what_the_pool_calls_finished_is_finished(scan: Scan, end: str | None) -> None:
    found = standing(OURS, a_pool_seen(changed(scrub=scan)), {}, NOW)
    assert found.end == end
    assert found.result.finished is (end == "finished")
    if end is None:
        assert found.result.ended_at is None


def test_a_resilver_or_an_error_scrub_in_place_of_the_scrub_is_no_end_of_it() -> None:
    found = standing(OURS, pool_of("trixie/resilvered.zpool-status-j"), {}, NOW)
    assert (found.end, found.result.finished, found.result.ended_at) == ("displaced", False, None)


def test_a_disk_that_counted_errors_stays_named_though_its_counters_were_cleared() -> None:
    bad = msgspec.structs.replace(RIGHT, checksum=3)
    running = changed(scrub=Scan(state="in progress", start=START, progress=0.4), vdevs=a_tree(LEFT, bad))
    seen = a_pool_seen(running)
    first = standing(OURS, seen, {path: "right" for path in seen.devices.values() if path.endswith("sdb")}, NOW)
    done = changed(scrub=Scan(state="finished", start=START, end=NOW, errors=0, repaired=4096))
    assert standing(first.result, a_pool_seen(done), {}, NOW).result.disks == ("disk right",)


def test_a_release_that_forgets_how_far_a_paused_scrub_was_does_not_set_it_back() -> None:
    half = msgspec.structs.replace(OURS, progress=0.5)
    paused = changed(scrub=Scan(state="paused", start=START, paused_at=NOW, progress=0.0))
    assert standing(half, a_pool_seen(paused), {}, NOW).result.progress == 0.5


# ---------------------------------------------------------------- standing aside

DUE = datetime(2026, 11, 25, 2, 30, tzinfo=UTC)
LEAD = timedelta(minutes=15)


def night(started: datetime, outcome: Outcome = Outcome.SUCCESS) -> Run:
    return a_run("nightly", started, outcome)


@pytest.mark.parametrize(
    ("now", "latest", "aside"),
    [
        (DUE - timedelta(hours=3), night(DUE - timedelta(days=1)), False),
        (DUE - timedelta(minutes=14), night(DUE - timedelta(days=1)), True),
        (DUE + timedelta(minutes=1), night(DUE - timedelta(days=1)), True),
        (DUE + timedelta(minutes=1), None, True),
        (DUE + timedelta(minutes=30), night(DUE, Outcome.RUNNING), True),
        (DUE + timedelta(minutes=30), night(DUE), False),
        (DUE + timedelta(minutes=30), night(DUE, Outcome.FAILURE), False),
        (DUE + timedelta(hours=3), None, False),  # it never came: the scrub must not wait for ever
    ],
)
def test_a_scrub_stands_aside_from_shortly_before_the_nightly_until_that_has_run(
    now: datetime, latest: Run | None, aside: bool
) -> None:
    nightly = a_config().job("nightly")
    assert stands_aside(nightly, LEAD, [latest], False, now, UTC) is aside
    assert stands_aside(nightly, LEAD, [latest], True, now, UTC) is True


def test_a_nightly_by_hand_only_holds_a_scrub_only_while_it_runs() -> None:
    nightly = a_config("jobs: {nightly: {schedule: null}}\n").job("nightly")
    assert not stands_aside(nightly, LEAD, [None], False, DUE, UTC)
    assert stands_aside(nightly, LEAD, [None], True, DUE, UTC)
