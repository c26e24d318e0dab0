"""The shipped alerts: each kind of concern has one, each says what it must, and each names what is there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bkp.concerns.model import GRAVEST_FIRST, KINDS
from dashboards.source.looks import alert_of
from exporter.metrics.registry import CATALOGUE, COLLECTORS
from tests.support.alert_rules import ALERTS, GROUPS, LABEL, RECORDED, RULES, RUNBOOKS, Alert
from tests.support.dashboards import BOARDS

# What only Prometheus can see: nobody answers, something is gone, numbers over time, and that all of this is alive.
ONLY_PROMETHEUS = {
    "Watchdog",
    "BkpExporterDown",
    "BkpExporterGone",
    "BkpExporterMissing",
    "BkpExporterStale",
    "BkpCollectorFailing",
    "BkpSeriesGone",
    "BkpRulesFail",
    "BkpRulesMissing",
    "BkpRunTooLong",
    "BkpRepositoryFillsUp",
    "BkpNewDataJump",
    "BkpDeletedDataJump",
    "BkpPoolFillsUp",
    "BkpPoolErrorsGrow",
    "BkpDiskSectorsGrow",
    "BkpDiskValuesOld",
}
# Of these, what no server told.
OF_PROMETHEUS = {
    "Watchdog", "BkpExporterDown", "BkpExporterGone", "BkpExporterMissing", "BkpRulesFail", "BkpRulesMissing",
}  # fmt: skip
SECTIONS = ["What it means", "How to look", "How to mend", "When it is safe to wait"]
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)")
OURS = {"job", "instance", "kind", "object", "severity"}  # labels of Prometheus, and of what the rules record
EXPRESSIONS = [alert.expr for alert in ALERTS.values()] + [expr for exprs in RECORDED.values() for expr in exprs]
each_alert = pytest.mark.parametrize("alert", ALERTS.values(), ids=lambda alert: alert.name)


def test_every_kind_of_concern_has_an_alert_and_every_alert_a_kind() -> None:
    assert {name for name in ALERTS if name not in ONLY_PROMETHEUS} == {alert_of(kind) for kind in KINDS}
    assert set(ALERTS) >= ONLY_PROMETHEUS
    for kind in KINDS:
        assert ALERTS[alert_of(kind)].kinds == {kind}


def test_every_alert_that_only_prometheus_can_see_fires_in_a_story_and_is_silent_in_one() -> None:
    told = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_alerts_on_*.py"))
    assert {name for name in ONLY_PROMETHEUS if f'fires("{name}"' not in told} == set()
    assert {name for name in ONLY_PROMETHEUS if f'silent("{name}"' not in told} == {"Watchdog", "BkpExporterStale"}


def test_promtool_finds_nothing_wrong_with_the_rules() -> None:
    done = subprocess.run(
        ["promtool", "check", "rules", "--lint=all", "--lint-fatal", *map(str, sorted(RULES.glob("*.yml")))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@each_alert
def test_an_alert_says_how_grave_it_is_what_it_is_and_where_to_read_on(alert: Alert) -> None:
    assert alert.severity in {*GRAVEST_FIRST, "none", "{{ $labels.severity }}"}
    assert set(alert.annotations) == {"summary", "description", "runbook_url", "dashboard_url"}
    assert all(alert.annotations.values())
    assert not LABEL.search(alert.annotations["summary"])  # it heads a group of alerts
    assert alert.annotations["runbook_url"].rpartition("/")[2] == alert.name
    assert re.fullmatch(r"(Bkp)?([A-Z][a-z]+)+", alert.name)


@each_alert
def test_an_alert_leads_to_a_dashboard_with_its_own_server_chosen(alert: Alert) -> None:
    address = urlsplit(alert.annotations["dashboard_url"])
    assert (address.scheme, address.netloc) == ("https", "grafana.example")
    (board,) = (each for each in BOARDS.values() if f"/d/{each.content['uid']}" == address.path)
    chosen = dict(each.split("=", 1) for each in address.query.split("&") if each)
    assert set(chosen) <= {f"var-{name}" for name in board.variables}
    assert all(chosen[name] == f"{{{{ $labels.{name.removeprefix('var-')} | urlquery }}}}" for name in chosen)
    of_no_server = {"Watchdog", "BkpExporterMissing", "BkpRulesFail", "BkpRulesMissing"}
    assert ({"var-job", "var-instance"} <= set(chosen)) == (alert.name not in of_no_server)


@each_alert
def test_a_runbook_has_its_four_sections_with_words_in_them_and_links_that_lead_somewhere(alert: Alert) -> None:
    page = RUNBOOKS / f"{alert.name}.md"
    head, *sections = re.split(r"^## ", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert head.startswith(f"# {alert.name}\n\n{alert.annotations['summary']}.\n")
    assert [section.partition("\n")[0] for section in sections] == SECTIONS
    assert all(len(section.partition("\n")[2].split()) > 0 for section in sections)
    for path, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        target = (page.parent / path).resolve()
        assert target.is_file(), path
        headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
        made = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert not anchor or anchor in made, anchor
    for named in re.findall(r"\bBkp[A-Z]\w+", page.read_text(encoding="utf-8")):
        assert named in ALERTS


def test_no_runbook_is_left_over() -> None:
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == set(ALERTS)


@pytest.mark.parametrize("expr", EXPRESSIONS)
def test_every_selector_names_a_metric_with_labels_and_states_that_there_are(expr: str) -> None:
    for name, matchers in re.findall(r"\b(bkp[_:]\w+)\s*(?:\{([^}]*)\})?", re.sub(r'"bkp[^"]*"', '""', expr)):
        metric = CATALOGUE.get(name)
        assert metric is not None or name in RECORDED, name
        labels = set(metric.labels) if metric is not None else labels_of(name)
        for label, value in re.findall(r'(\w+)\s*[!=]=?~?\s*"([^"]*)"', matchers):
            assert label in labels | {"job", "instance"}, f"{name}: {label}"
            if metric is not None and metric.states and label == metric.labels[-1]:
                assert set(value.split("|")) <= set(metric.states)
            if label == "kind":
                assert value in KINDS
            if label == "collector":
                assert value in COLLECTORS


@pytest.mark.parametrize("expr", EXPRESSIONS)
def test_every_label_that_an_expression_joins_or_groups_by_is_one_of_a_metric(expr: str) -> None:
    known = OURS | {"rule_group"} | {label for metric in CATALOGUE.values() for label in metric.labels}
    for listed in re.findall(r"\b(?:by|on|ignoring|without|group_left|group_right)\s*\(([^)]*)\)", expr):
        assert set(re.findall(r"\w+", listed)) <= known


@pytest.mark.parametrize("name", sorted(ONLY_PROMETHEUS - OF_PROMETHEUS))
def test_an_alert_on_what_a_server_told_goes_on_while_it_is_silent(name: str) -> None:
    held = re.fullmatch(
        r"(?s).*\bor\s+max by \((.*?)\) \(ALERTS\{alertname=\"(\w+)\",alertstate=\"firing\"\}\)"
        r" and on \(job, instance\) up == 0\s*",
        ALERTS[name].expr,
    )
    assert held
    assert held[2] == name
    told = set(LABEL.findall(ALERTS[name].annotations["description"]))
    assert {"job", *told} == {"job", *held[1].split(", ")}


@pytest.mark.parametrize("expr", EXPRESSIONS)
def test_no_aggregation_mixes_servers(expr: str) -> None:
    """A well server's `main` would hide another's: each aggregation and each join keeps job and instance."""
    for listed in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", expr):
        assert {"job", "instance"} <= set(re.findall(r"\w+", listed))
    assert not re.search(r"\b(without|ignoring)\b", expr)
    # two series of the same thing would double it, where they are not made one before
    assert not re.search(r"\b(sum|avg|count)\s+by\b(?!\s*\([^)]*\)\s*\(\s*max by)", expr)


def test_prometheus_is_told_how_many_groups_of_rules_there_are() -> None:
    assert ALERTS["BkpRulesMissing"].expr.rstrip().endswith(f"< {len(GROUPS)}")
    assert all(group.startswith("bkp-") for group in GROUPS)


def labels_of(recorded: str) -> set[str]:
    """Return the labels that every expression of a recorded series aggregates by."""
    found = [set(re.findall(r"\w+", listed)) for listed in re.findall(r"\bby\s*\(([^)]*)\)", RECORDED[recorded][0])]
    return set.union(*found) | OURS
