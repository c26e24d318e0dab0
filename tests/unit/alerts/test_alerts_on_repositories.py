"""Sources and archives by their deadlines, and what nights add and lack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.alert_world import DAY, Target, then
from tests.support.promtool import Story, always, judge

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STEP = 240
GIB = float(1 << 30)


def test_a_source_or_an_archive_is_old_by_its_deadline_unless_the_night_itself_is_late(tmp_path: Path) -> None:
    story = Story(120)
    plain = Target(story, "plain")
    judged = Target(story, "the exporter says so too")
    late = Target(story, "late")
    both = Target(story, "old, and late after that")
    jumped = Target(story, "later")
    nights = {late: 60 * 60, both: 60 * 62}
    for target in (plain, judged, late, both, jumped):
        moved = 90 if target is jumped else 100
        due = then((0, 60 * 60), (moved, 60 * 1500))
        for source in ("home", "etc"):
            target.sample("bkp_source_deadline_timestamp_seconds", due, repository="main", source=source)
        target.sample("bkp_repository_newest_archive_deadline_timestamp_seconds", due, repository="main")
        labels = {"job_name": "nightly", "target": "main"}
        target.sample("bkp_job_info", always(), **labels, schedule="02:30", late_severity="critical")
        target.sample("bkp_job_deadline_timestamp_seconds", always(nights.get(target, 60 * 1500)), **labels)
    for kind in ("source_stale", "archive_old"):
        judged.sample(
            "bkp_concern", then((61, 1), (100, None)), kind=kind, object="repository main", severity="critical"
        )
    for alert, kind in (("BkpSourceStale", "source_stale"), ("BkpArchiveOld", "archive_old")):
        wanted = [each.concern(kind, "repository main", "critical") for each in (plain, judged, both, jumped)]
        story.silent(alert, 64)
        story.fires(alert, 66, *wanted)
        story.fires(alert, 95, *wanted[:3])
        story.silent(alert, 101)
    story.fires("BkpJobLate", 68, *(each.concern("job_late", "nightly on main", "critical") for each in (late, both)))
    judge(tmp_path, [story])


def test_an_archive_of_the_future_is_said_as_it_could_never_grow_old(tmp_path: Path) -> None:
    story = Story(60)
    archive, source, well = Target(story, "archive"), Target(story, "source"), Target(story, "well")
    for target in (archive, source, well):
        begun = {"archive": 99 * DAY if target is archive else 0, "source": 99 * DAY if target is source else 0}
        target.sample(
            "bkp_repository_newest_archive_timestamp_seconds",
            then((0, 60 * begun["archive"]), (40, 0)),
            repository="main",
        )
        target.sample(
            "bkp_source_last_complete_backup_timestamp_seconds",
            then((0, 60 * begun["source"]), (40, 0)),
            repository="main",
            source="home",
        )
    ahead = [each.concern("clock_ahead", "repository main", "warning") for each in (archive, source)]
    story.fires("BkpClockAhead", 6, *ahead)
    story.fires("BkpClockAhead", 39, *ahead)
    story.silent("BkpClockAhead", 41)
    judge(tmp_path, [story])


def nights(target: Target, metric: str, of_night: Callable[[int], float | None]) -> None:
    """Add a figure that each night replaces."""
    target.sample(metric, lambda minute: of_night(minute // DAY), repository="main")


def test_a_jump_in_new_data_is_seen_and_usual_swings_are_not(tmp_path: Path) -> None:
    story = Story(22 * DAY, STEP)
    added: dict[str, Callable[[int], float | None]] = {
        "usual": lambda _: GIB,
        "encrypted": lambda night: 90 * GIB if night == 16 else GIB,
        "silent just then": lambda night: 90 * GIB if night == 16 else GIB,
        "much, but no tenth": lambda night: 8 * GIB if night == 16 else GIB,
        "a tenth each week": lambda night: 20 * GIB if night % 7 == 0 else GIB,
        "first archive": lambda night: None if night < 10 else 100 * GIB if night == 10 else GIB,
    }
    found = {}
    for name, of_night in added.items():
        silent = (lambda minute: 16 * DAY + 480 <= minute <= 16 * DAY + 960) if name == "silent just then" else None
        target = Target(story, name, silent) if silent else Target(story, name)
        nights(target, "bkp_last_archive_deduplicated_size_bytes", of_night)
        nights(target, "bkp_last_archive_compressed_size_bytes", lambda _: 100 * GIB)
        found[name] = target.alert(repository="main", severity="warning")
    jumped = [found["encrypted"], found["silent just then"]]
    story.silent("BkpNewDataJump", 11 * DAY, 14 * DAY + STEP, 16 * DAY)
    story.fires("BkpNewDataJump", 16 * DAY + STEP, *jumped)
    story.fires("BkpNewDataJump", 16 * DAY + 3 * STEP, *jumped)
    story.silent("BkpNewDataJump", 17 * DAY + STEP, 22 * DAY)
    judge(tmp_path, [story])


def since_night_16(usual: float, factor: float) -> Callable[[int], float]:
    return lambda night: usual * (factor if night >= 16 else 1)


def test_deleted_data_are_seen_by_files_or_by_bytes(tmp_path: Path) -> None:
    story = Story(27 * DAY, STEP)
    kept: dict[str, tuple[float, float]] = {
        "files": (0.7, 1), "bytes": (1, 0.7), "tidied": (0.85, 0.85), "more": (1.5, 1.5)
    }  # fmt: skip
    found = {}
    for name, (files, size) in kept.items():
        target = Target(story, name)
        nights(target, "bkp_last_archive_files", since_night_16(1000, files))
        nights(target, "bkp_last_archive_original_size_bytes", since_night_16(GIB, size))
        found[name] = target.alert(repository="main", severity="warning")
    story.silent("BkpDeletedDataJump", 15 * DAY, 16 * DAY)
    story.fires("BkpDeletedDataJump", 16 * DAY + STEP, found["files"], found["bytes"])
    story.fires("BkpDeletedDataJump", 20 * DAY, found["files"], found["bytes"])
    story.silent("BkpDeletedDataJump", 26 * DAY)  # the median has followed
    judge(tmp_path, [story])


def test_a_file_system_that_fills_up_is_forecast(tmp_path: Path) -> None:
    story = Story(16 * DAY, STEP)
    free: dict[str, Callable[[int], float]] = {
        "fills": lambda night: 38 - 2.5 * night if night < 9 else 60,
        "slowly": lambda night: 38 - 0.3 * night,
        "roomy": lambda night: 95 - 3 * night,
        "one import": lambda night: 38 if night < 5 else 28,
    }
    found = {}
    for name, of_night in free.items():
        target = Target(story, name)
        nights(target, "bkp_repository_filesystem_free_bytes", of_night)
        nights(target, "bkp_repository_filesystem_size_bytes", lambda _: 100)
        found[name] = target.alert(repository="main", severity="warning")
    story.silent("BkpRepositoryFillsUp", 2 * DAY, 3 * DAY)  # three days make a line
    story.fires("BkpRepositoryFillsUp", 4 * DAY + STEP, found["fills"])
    story.fires("BkpRepositoryFillsUp", 8 * DAY + 5 * STEP, found["fills"])
    story.silent("BkpRepositoryFillsUp", 10 * DAY, 16 * DAY)
    judge(tmp_path, [story])
