"""What the dashboards ask is answered by a real Prometheus that scraped a real exporter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from bkp.clock import utc_now
from tests.integration.exporter.conftest import running
from tests.support.dashboards import BOARDS, expanded
from tests.support.exporter_world import World
from tests.support.http import wait_until
from tests.support.observed_world import observed, observed_badly
from tests.support.outside_world import outside, outside_badly
from tests.support.prometheus import Prometheus, prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator

# Empty here, and rightly: no alert rules are loaded, no archive is gone, and no second sample is old
# enough for a trend.
MAY_BE_EMPTY = {
    "Alert rules",
    "Alerts that fire",
    "Full in",
    "Gone",
}


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Two servers: all is well on one, and nothing on the other."""
    worlds = [World(tmp_path_factory.mktemp(name), now=utc_now()) for name in ("well", "bad")]
    outside(worlds[0])
    observed(worlds[0])
    outside_badly(worlds[1])
    observed_badly(worlds[1])
    with running(worlds[0]) as well, running(worlds[1]) as bad:
        targets = f"{well.host}:{well.port}", f"{bad.host}:{bad.port}"
        with prometheus(tmp_path_factory.mktemp("prometheus"), *targets) as found:
            wait_until(lambda: len(found.query("rate(process_cpu_seconds_total[1m])")) == len(worlds))
            yield found


def test_every_question_of_every_dashboard_is_answered(asked: Prometheus) -> None:
    empty = []
    for board in BOARDS.values():
        for panel, target in board.questions():
            expression = expanded(target["expr"])
            if not asked.query(expression) and panel["title"] not in MAY_BE_EMPTY:
                empty.append((board.name, panel["title"], expression))
    assert empty == []


def test_the_variables_offer_what_there_is(asked: Prometheus) -> None:
    offered = {}
    for board in BOARDS.values():
        for name, variable in list(board.variables.items())[1:]:
            match = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
            assert match
            offered[name] = asked.label_values(match[2], expanded(match[1]))
    assert offered["job"] == ["bkp"]
    assert offered["repository"] == ["main"]
    assert {"tank", "offsite", "attic"} <= set(offered["pool"])
    assert {"left", "right", "gone"} <= set(offered["disk"])


def test_a_row_of_the_fleet_stays_when_its_server_answers_no_more(asked: Prometheus) -> None:
    (servers,) = (panel for panel in BOARDS["fleet"].panels if panel["title"] == "Servers" and panel["type"] == "table")
    answers = next(expanded(each["expr"]) for each in servers["targets"] if "up{" in each["expr"])
    assert [row["value"][1] for row in asked.query(answers)] == ["1", "1"]
    silent = answers.replace("up{", "0 * up{")
    assert [row["value"][1] for row in asked.query(silent)] == ["0", "0"]
    no_target_any_more = answers.replace("up{", "up{gone='1',")
    assert [row["value"][1] for row in asked.query(no_target_any_more)] == ["0", "0"]
