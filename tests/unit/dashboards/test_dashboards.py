"""The shipped dashboards: current, known to Grafana's own types, tidy, and asking for what the exporter has."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.models.dashboard import Dashboard
from promql_parser import MatchOp

from bkp.concerns.model import KINDS
from bkp.resources import data_dir
from dashboards.source.__main__ import write
from dashboards.source.dashboard import line
from dashboards.source.looks import alert_of, states_of
from dashboards.source.panels import text
from dashboards.source.query import query, state_of
from exporter.metrics.registry import CATALOGUE
from tests.support.dashboards import BOARDS, DATA_PANELS, GRAFANA, GRAPHS, Board, expanded, grows, selectors
from tests.support.exposition import text_series

GOLDEN = Path(__file__).resolve().parents[1] / "exporter/golden"
RUNBOOKS = data_dir("dashboards").parent / "docs/runbooks"
# Not ours: Prometheus' own, the client library's, and what the alert rules make.
OTHERS = {"up", "ALERTS", "process_cpu_seconds_total", "process_resident_memory_bytes"}
OF_PROMETHEUS = {"step", "titleFormat", "textFormat", "tagKeys", "useValueForTime"}
OPTIONS: dict[str, Any] = {
    "stat": stat.Options,
    "table": table.Options,
    "timeseries": timeseries.Options,
    "state-timeline": statetimeline.Options,
}
CUSTOM: dict[str, Any] = {
    "table": common.TableFieldOptions,
    "timeseries": common.GraphFieldConfig,
    "state-timeline": statetimeline.FieldConfig,
}
every_board = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)


@pytest.fixture(scope="module")
def series() -> list[tuple[str, dict[str, str]]]:
    found: dict[tuple[str, Any], float] = {}
    for path in sorted(GOLDEN.glob("*.txt")):
        found |= text_series(path.read_bytes())
    return [(name, dict(labels)) for name, labels in found]


def test_the_files_are_what_their_source_makes(tmp_path: Path) -> None:
    write(tmp_path)
    made = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    kept = {path.name: path.read_text(encoding="utf-8") for path in GRAFANA.glob("*.json")}
    assert kept == made, "run python -m dashboards.source"


@every_board
def test_grafanas_own_types_know_every_part_of_a_dashboard(board: Board) -> None:
    content = json.loads(json.dumps(board.content))
    for mark in content["annotations"]["list"]:
        for field in OF_PROMETHEUS & set(mark):  # its own part of an annotation, which this release of the types lacks
            del mark[field]
    read = json.loads(JSONEncoder().encode(Dashboard.from_json(json.loads(json.dumps(content)))))
    assert not list(_lost(content, read, board.name))


@every_board
def test_the_marks_are_what_the_data_source_for_prometheus_reads(board: Board) -> None:
    marks = board.content["annotations"]["list"]
    assert bool(marks) == (board.name != "fleet")
    for mark in marks:
        assert set(mark) > OF_PROMETHEUS
        assert (mark["enable"], mark["useValueForTime"]) == (True, True)
        assert " * 1000" in mark["expr"]  # the data source takes the value for milliseconds
        named = set(re.findall(r"\{\{(\w+)\}\}", mark["titleFormat"] + mark["textFormat"]))
        assert named <= set(re.findall(r"\w+", mark["expr"]))


@every_board
def test_grafanas_own_types_know_every_option_of_a_panel(board: Board) -> None:
    for panel in board.panels:
        if panel["type"] in OPTIONS:
            known = OPTIONS[panel["type"]].from_json(panel["options"])
            assert not _lost(panel["options"], json.loads(JSONEncoder().encode(known)), panel["title"])
        custom = panel["fieldConfig"]["defaults"].get("custom") if panel["type"] in CUSTOM else None
        if custom is not None:
            read = json.loads(JSONEncoder().encode(CUSTOM[panel["type"]].from_json(custom)))
            assert not _lost(custom, read, panel["title"])


@every_board
def test_every_label_that_a_table_asks_for_is_a_column_and_every_column_is_asked_for(board: Board) -> None:
    for panel in board.panels:
        if panel["type"] != "table":
            continue
        (organized,) = (each["options"] for each in panel["transformations"] if each["id"] == "organize")
        fields = [override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]]
        labels = {field for field in fields if not field.startswith("Value")}
        asked = set()
        for target in panel["targets"]:
            by = re.match(r"[(0-9 *]*(?:time\(\) (?:> bool|-) )?(?:min|max|sum) by \(([^)]*)\)", target["expr"])
            assert by, target["expr"]
            asked |= set(by[1].split(", "))
        assert asked == labels | {"job"}, panel["title"]
        values = ["Value"] if len(panel["targets"]) == 1 else [f"Value #{each['refId']}" for each in panel["targets"]]
        shown = {field for field in fields if field.startswith("Value")}
        assert shown | set(organized["excludeByName"]) == {*values, "Time", "job"}, panel["title"]
        assert list(organized["indexByName"]) == fields


def _lost(ours: Any, theirs: Any, place: str) -> list[str]:
    """Return what the types dropped or changed: they keep what they know, and add defaults."""
    if isinstance(ours, dict):
        if not isinstance(theirs, dict):
            return [] if not ours else [place]
        return [
            lost
            for key, value in ours.items()
            for lost in (
                _lost(value, theirs[key], f"{place}.{key}") if key in theirs else [f"{place}.{key}"] * bool(value)
            )
        ]
    if isinstance(ours, list):
        if len(ours) != len(theirs or []):
            return [place]
        pairs = enumerate(zip(ours, theirs or [], strict=True))
        return [lost for n, (a, b) in pairs for lost in _lost(a, b, f"{place}[{n}]")]
    return [] if ours == theirs else [place]


def test_uids_titles_and_files_are_lasting_and_unique() -> None:
    assert {name: board.content["uid"] for name, board in BOARDS.items()} == {name: f"bkp-{name}" for name in BOARDS}
    assert len({board.content["title"] for board in BOARDS.values()}) == len(BOARDS)
    for board in BOARDS.values():
        assert "id" not in board.content  # Grafana gives it; one in a file collides with another dashboard's
        assert "__inputs" not in board.content  # known to the import by hand only


@every_board
def test_the_variables_are_those_that_import_and_provisioning_both_fill(board: Board) -> None:
    source = board.variables["datasource"]
    assert (source["type"], source["query"], source["label"]) == ("datasource", "prometheus", "Data source")
    assert "current" not in source  # the first data source, whatever it is called
    assert list(board.variables)[:3] == ["datasource", "job", "instance"]
    for name, variable in list(board.variables.items())[1:]:
        assert variable["label"] == name.capitalize()
        assert (variable["multi"], variable["includeAll"], variable["allValue"]) == (True, True, ".+")
        assert variable["refresh"] == 2  # a server that came since is there when the time range changes
        assert variable["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        asked = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
        assert asked
        (selector,) = selectors(expanded(asked[1]))
        assert asked[2] in {"job", "instance", *CATALOGUE[selector.name or ""].labels}
    assert board.content["editable"] is False


@every_board
def test_the_panels_fill_the_width_and_none_lies_over_another(board: Board) -> None:
    taken: dict[int, list[int]] = {}
    for panel in board.content["panels"]:
        place = panel["gridPos"]
        assert place["h"] > 0
        for y in range(place["y"], place["y"] + place["h"]):
            taken.setdefault(y, []).extend(range(place["x"], place["x"] + place["w"]))
    assert sorted(taken) == list(range(len(taken)))
    for cells in taken.values():
        assert sorted(cells) == list(range(24))
    numbers = [panel["id"] for panel in board.content["panels"]]
    assert len(set(numbers)) == len(numbers)


def test_panels_that_do_not_fill_a_line_are_refused() -> None:
    with pytest.raises(ValueError, match="one: 5 panels do not fill a width of 24"):
        line(4, *(text("one", "", "") for _ in range(5))).widths()


@every_board
def test_every_panel_says_what_it_shows_and_in_which_unit(board: Board) -> None:
    titles = [panel["title"] for panel in board.panels]
    assert len(set(titles)) == len(titles)
    for panel in board.panels:
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        if panel["type"] == "text":
            continue
        assert panel["type"] in DATA_PANELS
        assert panel["targets"], panel["title"]
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["unit"] in {"none", "short", "s", "bytes", "percentunit", "celsius", "dateTimeFromNow"}
        assert defaults["noValue"]  # nothing known is said, not left blank
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references)
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"]
            assert bool(target.get("instant")) == (panel["type"] not in GRAPHS)


@every_board
def test_every_question_is_promql_with_the_dashboards_filters(board: Board) -> None:
    for panel, target in board.questions():
        found = selectors(expanded(target["expr"], job="JOB", instance="INSTANCE"))
        assert found, panel["title"]
        for selector in found:
            matchers = {(matcher.name, matcher.value) for matcher in selector.matchers.matchers}
            if ("alertname", "Watchdog") not in matchers:  # it belongs to no server
                assert {("job", "JOB"), ("instance", "INSTANCE")} <= matchers, target["expr"]
        assert all(length == "$__rate_interval" for length in grows(target["expr"])), target["expr"]


@every_board
def test_every_selector_finds_a_series_of_the_golden_exposition(
    board: Board, series: list[tuple[str, dict[str, str]]]
) -> None:
    for panel, target in board.questions():
        for selector in selectors(expanded(target["expr"])):
            if selector.name in OTHERS:
                continue
            found = [labels for name, labels in series if name == selector.name and _matches(selector, labels)]
            assert found, f"{panel['title']}: {selector.prettify()}"


def _matches(selector: Any, labels: dict[str, str]) -> bool:
    def holds(operator: MatchOp, value: str, wanted: str) -> bool:
        as_pattern = operator in (MatchOp.Re, MatchOp.NotRe)
        equal = re.fullmatch(wanted, value) is not None if as_pattern else value == wanted
        return equal == (operator in (MatchOp.Equal, MatchOp.Re))

    return all(
        holds(matcher.op, labels.get(matcher.name, ""), matcher.value)
        for matcher in selector.matchers.matchers
        if matcher.name not in {"job", "instance"}
    )


@every_board
def test_links_lead_to_dashboards_and_runbooks_that_are_there(board: Board) -> None:
    uids = {each.content["uid"]: each for each in BOARDS.values()}
    for title, address in board.links():
        if address.startswith("https://"):
            assert address == "https://bkp.example/docs/runbooks/${__value.text}"
            continue
        parts = urlsplit(address)
        variables = uids[parts.path.removeprefix("/d/")].variables
        for name in parse_qs(re.sub(r"\$\{\w+(?::queryparam)?\}&?", "", parts.query)):
            assert name.removeprefix("var-") in variables, (title, address)
        panel = next(each for each in board.panels if each["title"] == title)
        labels = {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}
        for name in re.findall(r"__data\.fields\.(\w+)", address):
            assert name in labels, (title, address)


def test_every_kind_of_concern_leads_to_its_runbook() -> None:
    (panel,) = (each for each in BOARDS["fleet"].panels if each["title"] == "What somebody has to look at")
    (kind,) = (each for each in panel["fieldConfig"]["overrides"] if each["matcher"]["options"] == "kind")
    properties = {each["id"]: each["value"] for each in kind["properties"]}
    (mapping,) = properties["mappings"]
    shown = {value: entry["text"] for value, entry in mapping["options"].items()}
    assert shown == {name: alert_of(name) for name in KINDS}
    for name in shown.values():
        assert (RUNBOOKS / f"{name}.md").exists(), name


@pytest.mark.parametrize("metric", [metric.name for metric in CATALOGUE.values() if metric.states])
def test_every_state_has_a_colour_and_what_is_not_known_is_never_green(metric: str) -> None:
    names = {text: colour for _, text, colour in states_of(metric).names}
    assert list(names) == list(CATALOGUE[metric].states)
    for state in {"unknown", "never", "missing", "not_told", "unattested"} & set(names):
        assert names[state] not in {"green", None}
    for code, state in enumerate(CATALOGUE[metric].states):
        assert f"{code} * ({metric}{{{CATALOGUE[metric].labels[-1]}='{state}'}} == 1)" in state_of(metric)


@every_board
def test_what_has_no_value_gets_no_colour_that_a_value_has(board: Board) -> None:
    """Grafana gives the first colour, that of no limit, to what has no value: green there would be good news."""
    for panel in board.panels:
        if panel["type"] == "text":
            continue
        fields = [(panel["fieldConfig"]["defaults"], panel["options"].get("colorMode") == "background")]
        for override in panel["fieldConfig"]["overrides"]:
            found = {each["id"]: each["value"] for each in override["properties"]}
            fields.append((found, found.get("custom.cellOptions", {}).get("type") == "color-background"))
        for field, coloured in fields:
            if coloured or "thresholds" in field:
                first, *others = field["thresholds"]["steps"]
                assert first["value"] is None
                assert first["color"] in ({"purple"} if coloured else {"purple", "text"}), panel["title"]
                assert all(each["value"] is not None for each in others)


def test_a_metric_that_the_exporter_does_not_have_is_refused() -> None:
    with pytest.raises(KeyError, match="bkp_repo_archives"):
        query("sum(bkp_repo_archives)")
