"""What grows: space, errors, bad sectors; and what was not looked at, read or scrubbed for too long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.alert_world import DAY, Target, then
from tests.support.promtool import Story, always, judge

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STEP = 240


def room(target: Target, percent_free: Callable[[float], float]) -> None:
    """Add how much of the pool is free on each day."""
    target.sample("bkp_pool_free_bytes", lambda minute: percent_free(minute / DAY), pool="tank")
    target.sample("bkp_pool_capacity_ratio", lambda minute: 1 - percent_free(minute / DAY) / 100, pool="tank")
    target.sample("bkp_pool_capacity_warning_ratio", always(0.8), pool="tank")


def test_a_pool_that_fills_up_is_forecast(tmp_path: Path) -> None:
    story = Story(16 * DAY, STEP)
    free: dict[str, Callable[[float], float]] = {
        "fills": lambda day: 39 - 2.5 * day if day < 9 else 60,
        "read-only": lambda day: 39 - 2.5 * day,
        "slowly": lambda day: 39 - 0.3 * day,
        "roomy": lambda day: 95 - 3 * day,
        "snapshots come and go": lambda day: 30 - 3 * (day % 1),
    }
    found = {}
    for name, left in free.items():
        target = Target(story, name)
        room(target, left)
        target.sample("bkp_pool_readonly", always(float(name == "read-only")), pool="tank")
        found[name] = target.alert(pool="tank", severity="warning")
    story.silent("BkpPoolFillsUp", 2 * DAY, 3 * DAY)
    story.fires("BkpPoolFillsUp", 3 * DAY + 2 * STEP, found["fills"])
    story.fires("BkpPoolFillsUp", 8 * DAY + 5 * STEP, found["fills"])
    story.silent("BkpPoolFillsUp", 9 * DAY + STEP, 16 * DAY)
    judge(tmp_path, [story])


def test_errors_of_a_device_that_grow_are_grave(tmp_path: Path) -> None:
    story = Story(960, step=4)
    labels = {"pool": "tank", "vdev": "102"}
    targets = {
        "grows": Target(story, "grows"),
        "gap": Target(story, "gap", silent=lambda minute: 412 <= minute <= 422),
        "dies": Target(story, "dies", silent=lambda minute: minute >= 420),
        "stands": Target(story, "stands"),
        "first": Target(story, "first"),
        "cleared": Target(story, "cleared"),
    }
    for name, target in targets.items():
        errors = {"stands": then((0, 3)), "first": then((0, 0), (400, 3)), "cleared": then((0, 9), (400, 0))}
        target.sample("bkp_vdev_checksum_errors", errors.get(name, then((0, 3), (400, 9))), **labels)
        target.sample("bkp_vdev_read_errors", errors.get(name, then((0, 3), (400, 9))), **labels)
    wanted = [targets[name].alert(**labels, severity="critical") for name in ("grows", "gap", "dies")]
    story.silent("BkpPoolErrorsGrow", 404)
    story.fires("BkpPoolErrorsGrow", 408, *wanted)
    story.fires("BkpPoolErrorsGrow", 420, *wanted)
    story.fires("BkpPoolErrorsGrow", 800, wanted[-1])  # of that nobody knows
    judge(tmp_path, [story])


def test_bad_sectors_that_grow_and_disks_that_tell_nothing_are_said(tmp_path: Path) -> None:
    story = Story(16 * DAY, STEP)
    grows, stands, sleeps = (Target(story, name) for name in ("grows", "stands", "sleeps"))
    grows.sample("bkp_disk_pending_sectors", then((0, 0), (3 * DAY, 8)), disk="left")
    grows.sample("bkp_disk_media_errors", always(0), disk="left")
    stands.sample("bkp_disk_reallocated_sectors", always(8), disk="left")
    sleeps.sample("bkp_disk_values_timestamp_seconds", then((0, 0), (14 * DAY, 14 * DAY * 60)), disk="left")
    for pool, days in (("tank", 10), ("attic", 2)):
        sleeps.sample("bkp_disk_of_pool", always(), disk="left", pool=pool)
        sleeps.sample("bkp_pool_scrub_limit_seconds", always(days * 86400), pool=pool)
    growing = grows.alert(disk="left", severity="critical")
    story.silent("BkpDiskSectorsGrow", 3 * DAY)
    story.fires("BkpDiskSectorsGrow", 3 * DAY + STEP, growing)
    story.fires("BkpDiskSectorsGrow", 9 * DAY, growing)
    story.silent("BkpDiskSectorsGrow", 11 * DAY)
    story.silent("BkpDiskValuesOld", 10 * DAY)
    story.fires("BkpDiskValuesOld", 10 * DAY + 2 * STEP, sleeps.alert(disk="left", severity="warning"))
    story.silent("BkpDiskValuesOld", 14 * DAY + STEP)
    judge(tmp_path, [story])


def test_a_scrub_is_overdue_until_one_has_ended(tmp_path: Path) -> None:
    story = Story(16 * DAY, STEP)
    targets = {name: Target(story, name) for name in ("scrubbed late", "in time", "later still")}
    for name, target in targets.items():
        ends = {
            "scrubbed late": then((0, 0), (12 * DAY, None), (13 * DAY, 13 * DAY * 60)),  # for a day it is running
            "in time": then((0, 0), (9 * DAY, 9 * DAY * 60)),
            "later still": then((0, 0), (15 * DAY, 15 * DAY * 60)),
        }
        target.sample("bkp_pool_scan_end_timestamp_seconds", ends[name], pool="tank", scan="scrub")
        target.sample("bkp_pool_scan_end_timestamp_seconds", always(0), pool="tank", scan="resilver")
        target.sample("bkp_pool_scrub_limit_seconds", always(10 * 86400), pool="tank")
    late, later = (
        targets[name].concern("scrub_old", "pool tank", "warning") for name in ("scrubbed late", "later still")
    )
    story.silent("BkpScrubOld", 10 * DAY)
    story.fires("BkpScrubOld", 10 * DAY + 2 * STEP, late, later)
    story.fires("BkpScrubOld", 12 * DAY + 3 * STEP, late, later)
    story.fires("BkpScrubOld", 13 * DAY + STEP, later)
    story.silent("BkpScrubOld", 15 * DAY + STEP)
    judge(tmp_path, [story])


def test_a_probe_that_looks_no_more_is_noticed_by_the_time_of_its_last_look(tmp_path: Path) -> None:
    story = Story(90)
    stopped, ahead = Target(story, "stopped"), Target(story, "ahead")
    for target in (stopped, ahead):
        target.sample("bkp_observation_limit_seconds", always(900), observation="pools")
        target.sample(
            "bkp_observation_looked_timestamp_seconds", lambda minute: 60.0 * minute, observation="pools", part="attic"
        )
    looked: dict[Target, Callable[[int], float]] = {
        stopped: lambda minute: 60.0 * (min(minute, 10) if minute < 60 else minute),
        ahead: lambda minute: 60.0 * (900 if minute < 60 else minute),
    }
    for target, value in looked.items():
        target.sample("bkp_observation_looked_timestamp_seconds", value, observation="pools", part="tank")
    story.silent("BkpProbeStale", 30)
    story.fires("BkpProbeStale", 31, stopped.concern("probe_stale", "observation pools", "warning"))
    story.silent("BkpProbeStale", 61)
    story.fires("BkpClockAhead", 31, ahead.concern("clock_ahead", "observation pools", "warning"))
    story.silent("BkpClockAhead", 61)
    judge(tmp_path, [story])
