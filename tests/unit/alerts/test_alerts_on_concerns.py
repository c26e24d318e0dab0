"""Every kind of concern, seen by Prometheus over an hour on several servers at once, with all labels and texts.

No alert needs a test of its own here: what kinds there are, their table says, and what their alerts are, the rules.
Alerts that do more than follow the exporter's judgement have stories of their own beside this file; what all alerts
have in common is told in test_every_alert_in_every_story.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bkp.concerns.model import KINDS
from dashboards.source.looks import alert_of
from tests.support.alert_rules import ALERTS
from tests.support.promtool import Story, between, judge

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.promtool import Sampled

FIRST, LAST, LONG = 10, 39, 60  # the concern is there from the first minute to the last
THERE = between(FIRST, LAST)
UP = between(0, LONG)
# What a server is like: whether it is scraped (1) and answers, whether it can judge, and its concerns.
SERVERS: dict[str, tuple[Sampled, Sampled, Sampled]] = {
    "plain": (UP, UP, THERE),
    "mended, then down": (lambda minute: float(minute < 35), between(0, 34), between(FIRST, 25)),
    "retired": (between(0, 29), between(0, 29), between(FIRST, 29)),
    "four minutes": (UP, UP, between(FIRST, FIRST + 3)),
}


def concern(kind: str, instance: str, severity: str = "warning") -> dict[str, str]:
    """Return the labels of a concern, which are those of its alert."""
    return {"job": "bkp", "instance": instance, "kind": kind, "object": "repository main", "severity": severity}


def test_an_alert_on_every_kind_of_concern_fires_holds_on_and_ends(tmp_path: Path) -> None:
    story = Story(LONG)
    for instance, (up, judges, there) in SERVERS.items():
        story.sample("up", up, job="bkp", instance=instance)
        labels = {"job": "bkp", "instance": instance, "collector": "concerns"}
        story.sample("bkp_exporter_collector_success", judges, **labels)
        for kind in KINDS:
            story.sample("bkp_concern", there, **concern(kind, instance))
    for kind in KINDS:
        for minute, firing in {
            FIRST + 4: [],  # not before it has lasted for five minutes
            FIRST + 5: ["plain", "mended, then down", "retired"],
            29: ["plain", "retired"],
            32: ["plain"],  # the other is no target any more
            38: ["plain"],  # what was mended before the server went does not come back
            LONG: [],
        }.items():
            story.fires(alert_of(kind), minute, *(concern(kind, name) for name in firing))
    judge(tmp_path, [story])


def test_a_concern_that_becomes_graver_is_another_alert(tmp_path: Path) -> None:
    story = Story(60)
    story.sample("up", UP, job="bkp", instance="plain")
    story.sample("bkp_exporter_collector_success", UP, job="bkp", instance="plain", collector="concerns")
    for kind in KINDS:
        warning, critical = concern(kind, "plain"), concern(kind, "plain", "critical")
        story.sample("bkp_concern", between(FIRST, 29), **warning)
        story.sample("bkp_concern", between(30, 60), **critical)
        story.fires(alert_of(kind), 29, warning)
        story.fires(alert_of(kind), 35, critical)
    judge(tmp_path, [story])


@pytest.mark.parametrize("kind", KINDS)
def test_the_exporter_says_how_grave_a_concern_is_and_the_alert_repeats_it(kind: str) -> None:
    assert ALERTS[alert_of(kind)].severity == "{{ $labels.severity }}"
