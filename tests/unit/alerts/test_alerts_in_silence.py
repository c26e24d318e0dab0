"""A server that falls silent: what was said of it before is not taken back while nobody can be asked.

Alerts on what the exporter judges, on jobs, and on errors that grow have that in their own stories.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.alert_world import Target, then
from tests.support.promtool import Story, always, judge

if TYPE_CHECKING:
    from pathlib import Path

SILENT, BACK, END = 60, 100, 120  # well beyond the fifteen minutes that a last value counts


def test_what_fired_goes_on_while_the_exporter_is_silent_and_ends_where_it_answers_that_all_is_well(
    tmp_path: Path,
) -> None:
    story = Story(END)
    dies = Target(story, "dies", silent=lambda minute: minute >= SILENT)
    back = Target(story, "comes back", silent=lambda minute: SILENT <= minute < BACK)
    for target in (dies, back):
        target.sample("bkp_disk_pending_sectors", then((0, 0), (20, 8), (SILENT, 0)), disk="left")
        target.sample("bkp_disk_values_timestamp_seconds", then((0, 0), (SILENT, 60 * BACK)), disk="left")
        target.sample("bkp_disk_of_pool", always(), disk="left", pool="tank")
        for metric in ("bkp_pool_scrub_limit_seconds", "bkp_observation_limit_seconds", "bkp_watch_limit_seconds"):
            label = {"bkp_pool_scrub_limit_seconds": {"pool": "tank"}, "bkp_watch_limit_seconds": {}}
            target.sample(metric, always(1200), **label.get(metric, {"observation": "pools"}))
        seen = then((0, 0), (SILENT, 60 * BACK))
        target.sample("bkp_pool_scan_end_timestamp_seconds", seen, pool="tank", scan="scrub")
        target.sample("bkp_observation_looked_timestamp_seconds", seen, observation="pools", part="tank")
        target.sample("bkp_watch_looked_timestamp_seconds", seen)
        due = then((0, 60 * 20), (SILENT, 60 * 900))
        target.sample("bkp_audit_deadline_timestamp_seconds", due)
        target.sample("bkp_source_deadline_timestamp_seconds", due, repository="main", source="home")
        target.sample("bkp_repository_newest_archive_deadline_timestamp_seconds", due, repository="main")

    overdue = {
        "BkpScrubOld": ("scrub_old", "pool tank", "warning"),
        "BkpProbeStale": ("probe_stale", "observation pools", "warning"),
        "BkpWatchStale": ("watch_stale", "the watch", "warning"),
        "BkpAuditOld": ("audit_old", "the audit", "warning"),
        "BkpSourceStale": ("source_stale", "repository main", "critical"),
        "BkpArchiveOld": ("archive_old", "repository main", "critical"),
    }
    growing = {
        "BkpDiskSectorsGrow": {"disk": "left", "severity": "critical"},
        "BkpDiskValuesOld": {"disk": "left", "severity": "warning"},
    }
    for minute, targets in ((SILENT - 1, (dies, back)), (BACK - 1, (dies, back)), (END, (dies,))):
        for alert, labels in growing.items():
            story.fires(alert, minute, *(each.alert(**labels) for each in targets))
        for alert, concern in overdue.items():
            story.fires(alert, minute, *(each.concern(*concern) for each in targets))
    judge(tmp_path, [story])
