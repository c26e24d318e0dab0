"""What the parts above the table tell: scans, a vdev's removal, a raidz's expansion, a checkpoint."""

from datetime import UTC, datetime

import pytest

from bkp.zfs_health.from_text import read_status
from bkp.zfs_health.model import PoolHealth, Scan
from tests.support.zpool_written import WRITTEN, status


def read(text: str) -> PoolHealth:
    return read_status(text).pools[0]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def scrub(*lines: str) -> PoolHealth:
    return read(status(above="  scan: " + "".join(f"{line}\n" for line in lines)))


def test_a_running_resilver_is_no_scrub() -> None:
    pool = read(WRITTEN["degraded"])
    assert pool.scrub.state == "not told"
    assert pool.resilver == Scan(
        state="in progress",
        start=at("2026-03-02 05:00:00"),
        repaired=300 << 30,
        scanned=3 << 39,
        issued=1 << 40,
        total=4 << 40,
        progress=0.25,
        time_left=20971,
        rounded=True,
    )


@pytest.mark.parametrize(
    ("lines", "state", "progress"),
    [
        (["scrub canceled on Sun Mar  1 04:12:30 2026"], "canceled", None),
        (["thorough scrub canceled on Sun Mar  1 04:12:30 2026"], "canceled", None),
        (["scrub stopped after 0h5m with 0 errors on Sun Mar  1 04:12:30 2026"], "canceled", None),
        (["scrub completed after 3h5m with 0 errors on Sun Mar  1 04:12:30 2026"], "finished", None),
        (["scrub in progress for 0h1m, 5.2% done, 0h20m to go"], "in progress", 0.052),
        (["scrub in progress since Sun Mar  1 04:12:30 2026", "\t0B repaired, 7.50% done"], "in progress", 0.075),
        (["scrub in progress since Sun Mar  1 04:12:30 2026", "    4,5T scanned out of 9,0T at 9M/s, 3h47m to go",
          "    0 repaired, 50,01% done"], "in progress", 0.5001),
        (["scrub repaired 0B in 01:0"], "finished", None),
        (["scrub of a kind that nobody knows"], "unknown", None),
    ],
)  # fmt: skip
def test_scrubs_of_all_releases_are_told_apart(lines: list[str], state: str, progress: float | None) -> None:
    pool = scrub(*lines)
    assert (pool.scrub.state, pool.scrub.progress) == (state, progress)
    assert pool.resilver.state == "not told"


def test_a_paused_scrub_keeps_its_start_and_its_pause() -> None:
    found = scrub(
        "scrub paused since Sun Mar  1 05:00:00 2026",
        "\tscrub started on Sun Mar  1 04:00:00 2026",
        "\t18.9M scanned, 19.1M issued, 35.6M total",
        "\t0B repaired, 53.54% done",
    ).scrub
    assert (found.state, found.start, found.paused_at) == (
        "paused",
        at("2026-03-01 04:00:00"),
        at("2026-03-01 05:00:00"),
    )
    assert (found.issued, found.end, found.time_left, found.rounded) == (20027801, None, None, True)


def test_old_durations_without_seconds_give_no_exact_start() -> None:
    found = scrub("scrub repaired 0 in 266h29m with 0 errors on Sun Mar  1 04:12:30 2026").scrub
    assert (found.duration, found.start, found.repaired) == (959340, None, 0)


@pytest.mark.parametrize("label", ["  scan", " scrub"])
@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("error scrub in progress since Sun Mar  1 04:00:00 2026\n\t80.00% done", "in progress"),
        ("error scrub paused since Sun Mar  1 05:00:00 2026\n\terror scrub started on Sun", "paused"),
        ("error scrub canceled on Sun Mar  1 05:00:00 2026", "canceled"),
        ("scrubbed 4 error blocks in 0 days 00:00:42 on Sun Mar  1 05:00:00 2026", "finished"),
    ],
)  # fmt: skip
def test_an_error_scrub_is_no_scrub(label: str, said: str, state: str) -> None:
    pool = read(status(above=f"{label}: {said}\n"))
    assert (pool.scrub.state, pool.error_scrub.state) == ("not told", state)


def test_scrub_and_sequential_resilver_are_both_kept() -> None:
    pool = read(
        status(
            above=(
                "  scan: scrub repaired 2K in 00:00:01 with 1 errors on Sun Mar  1 04:00:02 2026\n"
                "  scan: resilvered (draid1:2d:5c:1s-0) 5.5M in 00:00:10 with 0 errors on Sun Mar  1 04:00:01 2026\n"
            )
        )
    )
    assert (pool.scrub.state, pool.scrub.errors, pool.scrub.repaired) == ("finished", 1, 2048)
    assert (pool.resilver.state, pool.resilver.vdev, pool.resilver.errors) == ("finished", "draid1:2d:5c:1s-0", 0)


@pytest.mark.parametrize("above", ["", " scrub: none requested\n", "  scan: none requested\n"])
def test_a_pool_without_any_scan_was_never_scrubbed(above: str) -> None:
    assert read(status(above=above)).scrub.state == "never"


def test_a_time_in_another_language_or_zone_is_unknown() -> None:
    for said in ("So 1. Mär 04:12:30 2026", "Sun Mar  1 04:12:30 CET 2026", "Sun Mar 31 24:12:30 2026"):
        assert scrub(f"scrub repaired 0B in 00:12:30 with 0 errors on {said}").scrub.end is None


def test_removal_expansion_and_checkpoint_are_read() -> None:
    pool = read(
        status(
            above=(
                "remove: Evacuation of mirror-1 in progress since Sun Mar  1 04:00:00 2026\n"
                "\t1G copied out of 4G at 10M/s, 25.00% done, 0h5m to go\n"
                "checkpoint: created Sun Mar  1 03:00:00 2026, consumes 2.5M\n"
                "expand: expansion of raidz1-0 in progress since Sun Mar  1 04:00:00 2026\n"
                "\t1G / 2G copied at 10M/s, 50.00% done, paused for resilver or clear\n"
            )
        )
    )
    assert pool.removal is not None
    assert (pool.removal.state, pool.removal.vdev, pool.removal.progress) == ("in progress", "mirror-1", 0.25)
    assert pool.checkpoint is not None
    assert (pool.checkpoint.state, pool.checkpoint.size) == ("exists", 2621440)
    assert pool.expansion is not None
    assert (pool.expansion.state, pool.expansion.copied, pool.expansion.total) == ("paused", 1 << 30, 2 << 30)
    assert pool.problems == ()


def test_ended_removal_and_expansion_are_read() -> None:
    pool = read(
        status(
            above=(
                "remove: Removal of vdev 1 copied 1G in 0h2m, completed on Sun Mar  1 04:00:00 2026\n"
                "\t312 memory used for removed device mappings\n"
                "checkpoint: discarding, 2.5M remaining.\n"
                "expand: expanded raidz1-0 copied 2G in 00:01:02, on Sun Mar  1 05:00:00 2026\n"
            )
        )
    )
    assert pool.removal is not None
    assert (pool.removal.state, pool.removal.end, pool.removal.copied) == (
        "finished",
        at("2026-03-01 04:00:00"),
        1 << 30,
    )
    assert pool.checkpoint is not None
    assert pool.checkpoint.state == "discarding"
    assert pool.expansion is not None
    assert (pool.expansion.state, pool.expansion.vdev) == ("finished", "raidz1-0")
