"""What only Prometheus can see: nobody answers, a target is gone, what is said is old, all of this is alive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.alert_rules import GROUPS
from tests.support.alert_world import Target, then
from tests.support.promtool import Story, always, between, judge

if TYPE_CHECKING:
    from pathlib import Path


def test_an_exporter_that_is_silent_gone_old_or_broken_is_said_to_be(tmp_path: Path) -> None:
    story = Story(120)
    down = Target(story, "down", silent=lambda minute: 10 <= minute < 40)
    Target(story, "restarted", silent=lambda minute: 10 <= minute < 14)
    story.sample("up", between(0, 9), job="bkp", instance="retired")
    story.sample("up", then((0, 1), (10, None), (100, 1)), job="bkp", instance="moved, and back")
    story.sample("up", lambda minute: float(not 10 <= minute < 40), **down.labels, replica="b")
    story.sample("up", always(0), job="node", instance="somebody else's")
    old, wrong, well = Target(story, "old"), Target(story, "clock"), Target(story, "well")
    old.sample("bkp_exporter_snapshot_timestamp_seconds", lambda minute: 60.0 * min(minute, 30))
    wrong.sample("bkp_exporter_snapshot_timestamp_seconds", lambda minute: 60.0 * minute + (3600 if minute < 60 else 0))
    well.sample("bkp_exporter_snapshot_timestamp_seconds", lambda minute: 60.0 * minute)
    part = Target(story, "part")
    part.sample("bkp_exporter_collector_success", then((0, 1), (20, 0), (60, 1)), collector="pools")
    dies = Target(story, "part, then silent", silent=lambda minute: minute >= 50)
    dies.sample("bkp_exporter_collector_success", then((0, 1), (20, 0)), collector="pools")
    dies.sample("bkp_exporter_snapshot_timestamp_seconds", always(3600))

    story.silent("BkpExporterDown", 14)
    story.fires("BkpExporterDown", 15, down.alert(severity="critical"))
    story.fires("BkpExporterDown", 39, down.alert(severity="critical"))
    story.silent("BkpExporterDown", 40)
    story.fires("BkpExporterDown", 120, dies.alert(severity="critical"))
    story.silent("BkpExporterGone", 14)
    gone, back = ({"job": "bkp", "instance": name, "severity": "warning"} for name in ("retired", "moved, and back"))
    story.fires("BkpExporterGone", 15, gone, back)
    story.fires("BkpExporterGone", 99, gone, back)
    story.fires("BkpExporterGone", 120, gone)
    story.fires("BkpExporterStale", 45, *(each.alert(severity="critical") for each in (wrong, dies)))
    story.fires("BkpExporterStale", 46, *(each.alert(severity="critical") for each in (old, wrong, dies)))
    story.fires("BkpExporterStale", 120, *(each.alert(severity="critical") for each in (old, dies)))
    story.silent("BkpCollectorFailing", 24)
    failing = [each.alert(collector="pools", severity="critical") for each in (part, dies)]
    story.fires("BkpCollectorFailing", 25, *failing)
    story.fires("BkpCollectorFailing", 61, failing[1])
    story.fires("BkpCollectorFailing", 120, failing[1])
    story.silent("BkpExporterMissing", 120)
    story.fires("Watchdog", 0, {"severity": "none"})
    story.fires("Watchdog", 120, {"severity": "none"})
    judge(tmp_path, [story])


def test_no_exporter_at_all_is_said_and_the_watchdog_does_not_depend_on_one(tmp_path: Path) -> None:
    story = Story(60)
    story.sample("up", always(), job="backup", instance="vault")  # a job of another name than the rules expect
    story.sample("up", between(40, 60), job="bkp", instance="vault")
    story.silent("BkpExporterMissing", 4)
    for minute in (5, 39):
        story.fires("BkpExporterMissing", minute, {"job": "bkp", "severity": "critical"})
    story.silent("BkpExporterMissing", 40)
    story.fires("Watchdog", 60, {"severity": "none"})
    judge(tmp_path, [story])


def test_a_rule_that_cannot_be_evaluated_is_noticed(tmp_path: Path) -> None:
    story = Story(60)
    ours = {"job": "prometheus", "instance": "monitor", "rule_group": "/etc/prometheus/bkp/jobs.yml;bkp-jobs"}
    counter = "prometheus_rule_evaluation_failures_total"
    story.sample(counter, lambda minute: float(min(max(minute - 9, 0), 10)), **ours)
    story.sample(counter, float, **{**ours, "rule_group": "/etc/prometheus/other.yml;other"})
    story.silent("BkpRulesFail", 14)
    story.fires("BkpRulesFail", 15, {**ours, "severity": "critical"})
    story.fires("BkpRulesFail", 30, {**ours, "severity": "critical"})
    story.silent("BkpRulesFail", 40)
    judge(tmp_path, [story])


def test_a_file_of_rules_that_is_not_loaded_is_noticed(tmp_path: Path) -> None:
    story = Story(60)
    for instance, loaded in (("whole", GROUPS), ("partly", GROUPS[:-1]), ("mended", GROUPS)):
        for number, group in enumerate(loaded):
            since = 30 if instance == "mended" and not number else 0
            labels = {"job": "prometheus", "instance": instance, "rule_group": f"/etc/prometheus/bkp/x.yml;{group}"}
            story.sample("prometheus_rule_group_rules", between(since, 60, 3), **labels)
        other = {"job": "prometheus", "instance": instance, "rule_group": "/etc/prometheus/other.yml;other"}
        story.sample("prometheus_rule_group_rules", always(), **other)
    partly, mended = ({"job": "prometheus", "instance": name, "severity": "critical"} for name in ("partly", "mended"))
    story.silent("BkpRulesMissing", 4)
    story.fires("BkpRulesMissing", 5, partly, mended)
    story.fires("BkpRulesMissing", 29, partly, mended)
    story.fires("BkpRulesMissing", 30, partly)
    judge(tmp_path, [story])


def test_what_the_configuration_names_no_longer_is_said_to_be_watched_no_more(tmp_path: Path) -> None:
    story = Story(60)
    target = Target(story, "vault", silent=lambda minute: 10 <= minute < 20)
    for name in ("tank", "offsite"):
        kept = then((0, 1)) if name == "tank" else then((0, 1), (30, None))
        target.sample("bkp_pool_capacity_warning_ratio", kept, pool=name)
        target.sample("bkp_disk_temperature_warning_celsius", kept, disk=f"disk of {name}")
    blind, dies = Target(story, "blind"), Target(story, "dies", silent=lambda minute: minute >= 40)
    blind.sample("bkp_exporter_collector_success", then((0, 1), (20, 0)), collector="pools")
    for each in (blind, dies):
        each.sample("bkp_pool_capacity_warning_ratio", then((0, 1), (20, None)), pool="tank")
    story.silent("BkpSeriesGone", 16, 24)  # silence is no change of the configuration, nor is a part that fails
    removed = dies.alert(object="tank", severity="warning")
    story.fires("BkpSeriesGone", 34, removed)
    lost = [target.alert(object=name, severity="warning") for name in ("offsite", "disk of offsite")]
    story.fires("BkpSeriesGone", 35, removed, *lost)
    story.fires("BkpSeriesGone", 60, removed, *lost)
    judge(tmp_path, [story])
