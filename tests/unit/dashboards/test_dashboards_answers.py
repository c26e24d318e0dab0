"""What the panels that compute something answer, by promtool's evaluation of samples: limits, forecasts, silence."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.dashboards import BOARDS, expanded

if TYPE_CHECKING:
    from pathlib import Path

DAY = 24 * 60
GB = 10**9


def asked(board: str, title: str, column: str = "") -> str:
    """Return what a panel asks, or what one column of a table does."""
    (panel,) = (each for each in BOARDS[board].panels if each["title"] == title)
    if not column:
        return expanded(panel["targets"][0]["expr"])
    names = {
        override["matcher"]["options"].removeprefix("Value #"): override["properties"][0]["value"]
        for override in panel["fieldConfig"]["overrides"]
    }
    return next(expanded(each["expr"]) for each in panel["targets"] if names.get(each["refId"]) == column)


def judge(folder: Path, series: dict[str, str], *answers: tuple[str, int, dict[str, float]], step: int = 1) -> None:
    """Have promtool compare: an expression, a minute, and the wanted values by labels. Series get job and server."""
    whole = {
        f"{name}{{job='bkp',instance='{server or 'a'}'{',' if labels else ''}{labels}}}": values
        for (name, labels, server), values in ((_parts(key), values) for key, values in series.items())
    }
    test = {
        "interval": f"{step}m",
        "input_series": [{"series": name, "values": values} for name, values in whole.items()],
        "promql_expr_test": [
            {
                "expr": expression,
                "eval_time": f"{minute}m",
                "exp_samples": [{"labels": labels, "value": value} for labels, value in wanted.items()],
            }
            for expression, minute, wanted in answers
        ],
    }
    path = folder / "answers.json"
    path.write_text(json.dumps({"rule_files": [], "evaluation_interval": "1m", "tests": [test]}), encoding="utf-8")
    done = subprocess.run(["promtool", "test", "rules", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _parts(key: str) -> tuple[str, str, str]:
    """Return name, labels and server of `name{labels}@server`."""
    selector, _, server = key.partition("@")
    name, _, labels = selector.partition("{")
    return name, labels.removesuffix("}"), server


@pytest.mark.parametrize(("used", "wanted"), [(0.79, 0), (0.8, 0), (0.81, 1), (0.9, 1), (0.91, 2)])
def test_a_pool_is_coloured_by_its_own_limits_as_the_exporter_judges_it(
    tmp_path: Path, used: float, wanted: float
) -> None:
    series = {
        "bkp_pool_capacity_ratio{pool='tank'}": f"{used}",
        "bkp_pool_capacity_warning_ratio{pool='tank'}": "0.8",
        "bkp_pool_capacity_critical_ratio{pool='tank'}": "0.9",
        "up": "1",
        "bkp_exporter_build_info": "1",
        "bkp_exporter_collector_success{collector='pools'}": "1",
        "bkp_pool_capacity_ratio{pool='found'}": "0.99",  # nobody configured it: no limit, no colour
    }
    row = '{job="bkp", instance="a", pool="tank"}'
    judge(
        tmp_path,
        series,
        (asked("storage", "Pools", "Room"), 0, {row: wanted}),
        (asked("storage", "Beyond its limit"), 0, {"{}": float(wanted > 0)}),
    )


@pytest.mark.parametrize(("celsius", "asleep", "wanted"), [(49, 0, 0), (50, 0, 1), (60, 0, 2), (60, 1, None)])
def test_a_disk_is_coloured_by_its_own_limits_and_not_while_it_sleeps(
    tmp_path: Path, celsius: int, asleep: int, wanted: float | None
) -> None:
    series = {
        "bkp_disk_temperature_celsius{disk='left'}": f"{celsius}",
        "bkp_disk_temperature_warning_celsius{disk='left'}": "50",
        "bkp_disk_temperature_critical_celsius{disk='left'}": "60",
        "bkp_disk_asleep{disk='left'}": f"{asleep}",
    }
    row = '{job="bkp", instance="a", disk="left"}'
    judge(
        tmp_path,
        series,
        (asked("storage", "Disks", "Heat"), 0, {} if wanted is None else {row: wanted}),
        (asked("storage", "Warmest disk"), 0, {} if asleep else {"{}": float(celsius)}),
    )


@pytest.mark.parametrize(("hours", "wanted"), [(1, 0), (36, 0), (37, 1), (96, 1), (97, 2), (-1, None)])
def test_a_replica_is_coloured_by_its_own_limits_and_one_of_the_future_or_never_received_is_not(
    tmp_path: Path, hours: int, wanted: float | None
) -> None:
    now = 200 * 3600
    series = {
        f"bkp_replication_{metric}{{replication='{name}'}}": f"{value}x12000"
        for name in ("live", "never")
        for metric, value in (("lag_warning_seconds", 36 * 3600), ("lag_critical_seconds", 96 * 3600))
    }
    series["bkp_replication_newest_common_timestamp_seconds{replication='live'}"] = f"{now - hours * 3600}x12000"
    row = '{job="bkp", instance="a", replication="live"}'
    judge(
        tmp_path,
        series,
        (asked("server", "Replications", "Lag"), now // 60, {} if wanted is None else {row: wanted}),
        (asked("server", "Replications", "Behind by"), now // 60, {} if wanted is None else {row: hours * 3600.0}),
    )


def test_the_watch_is_late_by_its_limit_and_one_that_never_looked_or_looked_in_the_future_is_not_known(
    tmp_path: Path,
) -> None:
    looked = {"well": 60 * 60, "late": 50 * 60, "ahead": 110 * 60}
    series = {f"bkp_watch_limit_seconds@{name}": "2700x200" for name in (*looked, "never")}
    series |= {f"bkp_watch_looked_timestamp_seconds@{name}": f"{seconds}x200" for name, seconds in looked.items()}
    wanted = {f'{{job="bkp", instance="{name}"}}': float(late) for name, late in (("well", 0), ("late", 1))}
    judge(tmp_path, series, (asked("server", "Mails and watch", "Watch"), 100, wanted))


@pytest.mark.parametrize(
    ("board", "title", "column", "since", "deadline", "labels"),
    [
        ("server", "Jobs", "In time", "job_last_success", "job_deadline", "job_name='check',target='main'"),
        ("server", "Sources", "In time", "source_last_complete_backup", "source_deadline",
         "repository='main',source='home'"),
        ("repository", "Repositories", "In time", "repository_newest_archive", "repository_newest_archive_deadline",
         "repository='main'"),
    ],
)  # fmt: skip
def test_what_follows_from_a_time_in_the_future_is_not_said_to_be_in_time(
    tmp_path: Path, board: str, title: str, column: str, since: str, deadline: str, labels: str
) -> None:
    series = {}
    for server, (begun, due) in {"well": (0, 200), "late": (0, 50), "ahead": (150, 200), "never": (None, 50)}.items():
        if begun is not None:
            series[f"bkp_{since}_timestamp_seconds{{{labels}}}@{server}"] = f"{begun * 60}x200"
        series[f"bkp_{deadline}_timestamp_seconds{{{labels}}}@{server}"] = f"{due * 60}x200"
    wanted = {
        f'{{job="bkp", instance="{server}", {labels}}}'.replace("'", '"'): value
        for server, value in {"well": 0.0, "late": 1.0, "never": 1.0}.items()
    }
    judge(tmp_path, series, (asked(board, title, column), 100, wanted))


def test_a_scrub_that_ended_in_the_future_is_not_in_time(tmp_path: Path) -> None:
    series = {
        f"bkp_pool_scrub_limit_seconds{{pool='tank'}}@{server}": "3000x200" for server in ("well", "old", "ahead")
    }
    for server, minute in {"well": 60, "old": 10, "ahead": 150}.items():
        series[f"bkp_pool_scan_end_timestamp_seconds{{pool='tank',scan='scrub'}}@{server}"] = f"{minute * 60}x200"
    wanted = {
        f'{{job="bkp", instance="{server}", pool="tank"}}': late for server, late in (("well", 0.0), ("old", 1.0))
    }
    judge(tmp_path, series, (asked("storage", "Pools", "Scrub"), 100, wanted))


def test_each_kind_of_look_is_late_by_its_own_limit(tmp_path: Path) -> None:
    series = {
        "bkp_observation_limit_seconds{observation='pools'}": "600x200",
        "bkp_observation_limit_seconds{observation='disks'}": "7200x200",
        "bkp_observation_looked_timestamp_seconds{observation='pools',part='tank'}": "3600x200",
        "bkp_observation_looked_timestamp_seconds{observation='disks',part='left'}": "3600x200",
    }
    late = {("pools", "tank"): 1.0, ("disks", "left"): 0.0}
    rows = {
        f'{{job="bkp", instance="a", observation="{kind}", part="{part}"}}': value
        for (kind, part), value in late.items()
    }
    judge(tmp_path, series, (asked("server", "What the probe sees", "Looks"), 100, rows))


def test_a_file_system_that_fills_has_an_end_in_sight_and_one_that_does_not_has_none(tmp_path: Path) -> None:
    fills, grows = (" ".join(str((1000 + daily * day) * GB) for day in range(15)) for daily in (-10, 1))
    series = {
        "bkp_repository_filesystem_free_bytes{repository='fills'}": fills,
        "bkp_repository_filesystem_free_bytes{repository='grows'}": grows,
        "bkp_repository_filesystem_free_bytes{repository='stands'}": f"{500 * GB}x14",
    }
    question = asked("repository", "Full in")
    judge(tmp_path, series, (question, 14 * DAY, {"{}": 86 * 86400.0}), step=DAY)
    del series["bkp_repository_filesystem_free_bytes{repository='fills'}"]
    judge(tmp_path, series, (question, 14 * DAY, {}), step=DAY)


def test_a_server_that_is_silent_or_no_target_any_more_is_counted_and_one_of_another_job_is_not(tmp_path: Path) -> None:
    series = {
        "bkp_exporter_build_info@well": "1x60",
        "up@well": "1x60",
        "bkp_exporter_build_info@silent": "1x10 stale",
        "up@silent": "1x10 0x50",
        "bkp_exporter_build_info@gone": "1x10 stale",
        "up@gone": "1x10 stale",
        "up@never": "0x60",
    }
    answers = {"well": 1.0, "silent": 0.0, "gone": 0.0, "never": 0.0}
    rows = {f'{{job="bkp", instance="{name}"}}': value for name, value in answers.items()}
    judge(
        tmp_path,
        series,
        (asked("fleet", "Servers", "Answers"), 60, rows),
        (asked("fleet", "Do not answer"), 60, {"{}": 3.0}),
        (asked("fleet", "Expected"), 60, {"{}": 4.0}),
        (asked("fleet", "Answer"), 60, {"{}": 1.0}),
    )
    judge(tmp_path, {"up@never": "0x60"}, (asked("fleet", "Expected"), 60, {"{}": 1.0}))


@pytest.mark.parametrize(
    ("board", "title"), [("fleet", "Critical"), ("server", "Critical"), ("server", "Worst concern")]
)
def test_that_nothing_is_wrong_is_said_only_where_every_server_tells_all(
    tmp_path: Path, board: str, title: str
) -> None:
    def told(critical: int, up: int = 1, parts: int = 1) -> dict[str, str]:
        return {
            "bkp_exporter_build_info@well": "1",
            "bkp_exporter_build_info@other": "1 stale",
            "up@well": "1x1",
            "up@other": f"1 {up}",
            "bkp_exporter_collector_success{collector='jobs'}@well": f"{parts}x1",
            "bkp_concerns{severity='critical'}@well": f"{critical}x1",
            "bkp_concerns{severity='critical'}@other": "0 stale" if not up else "0x1",
        }

    question = asked(board, title)
    found = 3.0 if title == "Worst concern" else 2.0
    judge(tmp_path, told(0), (question, 1, {"{}": 0.0}))
    judge(tmp_path, told(0, up=0), (question, 1, {}))
    judge(tmp_path, told(0, parts=0), (question, 1, {}))
    judge(tmp_path, told(2, up=0), (question, 1, {"{}": found}))


@pytest.mark.parametrize("board", BOARDS)
def test_no_count_of_what_is_bad_is_good_while_a_server_is_silent(board: str) -> None:
    """A sum that is green at 0 leaves a silent server out; what counts the silent ones themselves does not."""
    own = {"Do not answer", "Tell only part"}
    for panel in BOARDS[board].panels:
        green = any(step["color"] == "green" and step["value"] == 0 for step in _steps(panel))
        if panel["type"] == "stat" and green and panel["title"] not in own:
            assert "min(max by (job, instance) (up{" in panel["targets"][0]["expr"], panel["title"]


def _steps(panel: dict[str, Any]) -> list[dict[str, Any]]:
    defaults = panel.get("fieldConfig", {}).get("defaults", {})
    named = [
        {"value": int(value), "color": entry.get("color")}
        for mapping in defaults.get("mappings", ())
        for value, entry in mapping["options"].items()
    ]
    return [*defaults.get("thresholds", {}).get("steps", ()), *(named if panel["title"] == "Worst concern" else ())]


def test_the_worst_concern_is_a_number_and_nothing_where_nothing_is_known(tmp_path: Path) -> None:
    series = {
        "bkp_concerns{severity='critical'}@bad": "2",
        "bkp_concerns{severity='warning'}@bad": "1",
        "bkp_concerns{severity='info'}@bad": "1",
        "bkp_concerns{severity='critical'}@well": "0",
        "bkp_concerns{severity='warning'}@well": "0",
        "bkp_concerns{severity='info'}@well": "0",
        "bkp_concerns{severity='critical'}@told": "0",
        "bkp_concerns{severity='warning'}@told": "0",
        "bkp_concerns{severity='info'}@told": "3",
        "up@blind": "1",
    }
    worst = {"bad": 3.0, "well": 0.0, "told": 1.0}
    rows = {f'{{job="bkp", instance="{name}"}}': value for name, value in worst.items()}
    judge(tmp_path, series, (asked("fleet", "Worst concern of each server"), 0, rows))


def test_a_state_is_a_number_by_its_name_and_none_is_made_up(tmp_path: Path) -> None:
    series = {
        "bkp_job_status{job_name='nightly',target='main',status='ok'}": "1 0 stale",
        "bkp_job_status{job_name='nightly',target='main',status='late'}": "0 1 stale",
    }
    row = '{job="bkp", instance="a", job_name="nightly", target="main"}'
    question = asked("server", "Status of the jobs")
    judge(tmp_path, series, (question, 0, {row: 0.0}), (question, 1, {row: 1.0}), (question, 2, {}))


def test_only_what_is_not_met_is_in_the_audits_timeline(tmp_path: Path) -> None:
    verdicts = ("fail", "error", "unattested", "pass", "not_applicable")
    series = {
        f"bkp_audit_rule_verdict{{rule='R-{held}',verdict='{verdict}'}}": str(int(held == verdict))
        for held in verdicts
        for verdict in verdicts
    }
    wanted = {f'{{job="bkp", instance="a", rule="R-{name}"}}': float(code) for code, name in enumerate(verdicts[:3])}
    judge(tmp_path, series, (asked("compliance", "What is not met"), 0, wanted))


def test_a_run_is_marked_where_it_ended_with_what_became_of_it_and_not_while_it_goes_on(tmp_path: Path) -> None:
    labels = "job_name='nightly',target='main'"
    series = {
        f"bkp_job_last_attempt_timestamp_seconds{{{labels}}}": "1000 9000",
        f"bkp_job_last_attempt_duration_seconds{{{labels}}}": "500 stale",
        f"bkp_job_last_attempt_outcome{{{labels},outcome='failure'}}": "1 1",
        f"bkp_job_last_attempt_outcome{{{labels},outcome='success'}}": "0 0",
    }
    (mark,) = BOARDS["server"].content["annotations"]["list"]
    row = '{job="bkp", instance="a", job_name="nightly", target="main", outcome="failure"}'
    judge(tmp_path, series, (expanded(mark["expr"]), 0, {row: 1_500_000.0}), (expanded(mark["expr"]), 1, {}))


@pytest.mark.parametrize(("other", "wanted"), [("1", 1.0), ("0", 0.0), (None, None)])
def test_a_repository_that_was_never_checked_is_not_hidden_by_one_that_passed(
    tmp_path: Path, other: str | None, wanted: float | None
) -> None:
    series = {f"bkp_job_info{{job_name='nightly',target='{name}'}}": "1" for name in ("main", "photos")}
    series["bkp_check_passed{job_name='check',repository='main'}"] = "1"
    if other is not None:
        series["bkp_check_passed{job_name='check',repository='photos'}"] = other
    judge(tmp_path, series, (asked("repository", "Check"), 0, {} if wanted is None else {"{}": wanted}))


def test_a_repository_without_an_archive_and_a_server_without_an_audit_are_not_hidden_by_others(tmp_path: Path) -> None:
    series = {
        f"bkp_job_info{{job_name='nightly',target='{name}'}}@{server}": "1"
        for server in ("whole", "partly")
        for name in ("main", "photos")
    }
    newest = "bkp_repository_newest_archive_timestamp_seconds"
    series |= {f"{newest}{{repository='main'}}@{server}": "5000" for server in ("whole", "partly")}
    series[f"{newest}{{repository='photos'}}@whole"] = "4000"
    series |= {f"bkp_exporter_build_info@{server}": "1" for server in ("whole", "partly")}
    series["bkp_audit_judged_timestamp_seconds@whole"] = "3000"
    judge(
        tmp_path,
        series,
        (
            asked("fleet", "Servers", "Oldest of the newest archives"),
            0,
            {'{job="bkp", instance="whole"}': 4_000_000.0},
        ),
        (asked("repository", "Newest good archive"), 0, {}),
        (asked("compliance", "Oldest audit"), 0, {}),
    )
