"""The rules of metric naming that promtool does not check, over the catalogue; and the page made from it."""

import re
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from bkp.archive_names import INCOMPLETE, SUSPICIOUS, UNPROVEN
from bkp.state.records import Run
from exporter.docs import document
from exporter.metrics import jobs
from exporter.metrics.metric import Metric
from exporter.metrics.registry import CATALOGUE, SECTIONS

DOCS = Path(__file__).parents[3] / "docs" / "metrics.md"
# Prometheus sets these on every series it scrapes, or an operator does in the scrape configuration.
TARGET_LABELS = {"job", "instance", "host", "env", "environment", "cluster", "exported_job"}

each_metric = pytest.mark.parametrize("metric", CATALOGUE.values(), ids=lambda metric: metric.name)


@each_metric
def test_a_name_is_lower_snake_case_with_the_one_prefix(metric: Metric[Any]) -> None:
    assert re.fullmatch(r"bkp(_[a-z0-9]+)+", metric.name)


@each_metric
def test_a_unit_ends_the_name_and_is_a_base_unit(metric: Metric[Any]) -> None:
    if not metric.unit:
        assert not re.search(r"_(seconds|bytes|ratio|celsius|minutes|hours|days|kilobytes|percent)(_|$)", metric.name)


@each_metric
def test_a_point_in_time_is_a_timestamp_in_seconds_and_never_an_age(metric: Metric[Any]) -> None:
    assert "age" not in metric.name.split("_")
    assert "_time_" not in metric.name
    if "timestamp" in metric.name:
        assert metric.name.endswith("_timestamp_seconds")


@each_metric
def test_a_size_has_bytes_and_a_duration_has_seconds_in_its_name(metric: Metric[Any]) -> None:
    if re.search(r"_(size|space|restored|free)(_|$)", metric.name):
        assert metric.unit == "bytes"
    if "_duration" in metric.name:
        assert metric.unit == "seconds"


@each_metric
def test_total_count_sum_and_bucket_are_left_to_counters_and_histograms(metric: Metric[Any]) -> None:
    assert not metric.name.endswith(("_total", "_count", "_sum", "_bucket", "_created"))


@each_metric
def test_labels_are_neither_those_of_a_scrape_target_nor_the_word_type(metric: Metric[Any]) -> None:
    assert not set(metric.labels) & (TARGET_LABELS | {"type", "le", "quantile"})
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", label) and not label.startswith("__") for label in metric.labels)
    assert len(set(metric.labels)) == len(metric.labels) <= (5 if metric.kind == "info" else 4)


@each_metric
def test_the_help_is_a_whole_sentence_and_says_no_more_than_one_line(metric: Metric[Any]) -> None:
    assert metric.help[0].isupper() or metric.help[0].isdigit()
    assert metric.help.endswith(".")
    assert "\n" not in metric.help
    assert metric.source


def test_names_are_there_once() -> None:
    names = [metric.name for section in SECTIONS for metric in section.metrics]
    assert len(set(names)) == len(names)


def test_the_states_of_the_mail_are_those_of_a_record() -> None:
    words = {word for part in get_args(get_type_hints(Run)["mail"]) for word in get_args(part)}
    assert set(jobs.MAIL) == words


def test_incomplete_archives_are_said_to_be_those_that_the_runner_counts() -> None:
    help_text = CATALOGUE["bkp_repository_incomplete_archives"].help
    assert f"a name that begins with {UNPROVEN}, {INCOMPLETE} or {SUSPICIOUS}," in help_text
    assert "checkpoint" not in help_text.lower()  # borg's own, which the runner does not count


def test_the_documentation_is_what_the_catalogue_says() -> None:
    assert DOCS.read_text(encoding="utf-8") == document(), "run: python -m exporter.docs > docs/metrics.md"
