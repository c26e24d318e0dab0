"""Scrubs and self-tests that bkp-run began: how far they are, and what the last good one came to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bkp.jobs import SCRUB, SELFTEST_LONG, SELFTEST_SHORT
from bkp.state.results import ScrubResult, SelfTestRecord
from exporter.metrics.metric import Labels, Metric, MetricSection, Table
from exporter.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bkp.survey import Standing

_KINDS = {SELFTEST_SHORT.name: "short", SELFTEST_LONG.name: "long"}


def _scrubs_under_way(model: Model) -> Iterator[tuple[Labels, ScrubResult]]:
    for standing in _of(model, SCRUB.name):
        run = standing.latest
        if standing.running_since is not None and run is not None and isinstance(run.result, ScrubResult):
            yield (model.config.config.zpool(standing.target),), run.result


def _scrubs(model: Model) -> Iterator[tuple[Labels, ScrubResult]]:
    for standing in _of(model, SCRUB.name):
        run = standing.success
        if standing.success_known and run is not None and isinstance(run.result, ScrubResult):
            yield (model.config.config.zpool(standing.target),), run.result


def _tests_under_way(model: Model) -> Iterator[tuple[Labels, SelfTestRecord]]:
    for standing in _of(model, *_KINDS):
        run = standing.latest
        if standing.running_since is not None and run is not None and isinstance(run.result, SelfTestRecord):
            yield (standing.target, _KINDS[standing.job]), run.result


def _tests(model: Model) -> Iterator[tuple[Labels, SelfTestRecord]]:
    for standing in _of(model, *_KINDS):
        run = standing.latest
        if run is not None and run.ended_at is not None and isinstance(run.result, SelfTestRecord):
            yield (standing.target, _KINDS[standing.job]), run.result


def _of(model: Model, *jobs: str) -> Iterator[Standing]:
    return (standing for standing in model.survey.standings if standing.job in jobs)


ENDS = ("passed", "failed", "aborted", "interrupted", "unsupported", "unknown")

SECTION = MetricSection[Model](
    "hardware_runs",
    "Scrubs and self-tests that bkp-run began",
    "What the records say. What pools and disks themselves say, whoever began it, is with the pools and the disks.",
    Table[Model, ScrubResult](
        ("pool",),
        _scrubs_under_way,
        Metric(
            "bkp_scrub_run_progress_ratio",
            "Share of the scrub under way that is done, as it was last looked at.",
            "latest.json of scrub: result.progress",
            lambda scrub: scrub.progress,
            absent="no scrub of ours is under way, or the pool does not tell",
        ),
        Metric(
            "bkp_scrub_run_paused",
            "Whether the scrub under way was paused when it was last looked at.",
            "latest.json of scrub: result.paused_at",
            lambda scrub: scrub.paused_at is not None,
            absent="no scrub of ours is under way",
        ),
        absent="no scrub of ours is under way",
    ),
    Table[Model, ScrubResult](
        ("pool",),
        _scrubs,
        Metric(
            "bkp_scrub_run_finished_timestamp_seconds",
            "When the last scrub ended that a run of ours followed to a good end.",
            "success.json of scrub: result.ended_at",
            lambda scrub: scrub.ended_at,
        ),
        Metric(
            "bkp_scrub_run_duration_seconds",
            "How long that scrub worked.",
            "success.json of scrub: result.seconds",
            lambda scrub: scrub.seconds,
            absent="the pool does not tell",
        ),
        Metric(
            "bkp_scrub_run_examined_bytes",
            "How much that scrub had to read.",
            "success.json of scrub: result.examined_bytes",
            lambda scrub: scrub.examined_bytes,
            absent="the pool does not tell",
        ),
        Metric(
            "bkp_scrub_run_repaired_bytes",
            "How much that scrub repaired.",
            "success.json of scrub: result.repaired_bytes",
            lambda scrub: scrub.repaired_bytes,
            absent="the pool does not tell",
        ),
        absent="no scrub of ours has come to a good end, or its record cannot be read",
    ),
    Table[Model, SelfTestRecord](
        ("disk", "kind"),
        _tests_under_way,
        Metric(
            "bkp_selftest_run_progress_ratio",
            "Share of the self-test under way that is done, as it was last looked at.",
            "latest.json of selftest-short, selftest-long: result.progress",
            lambda test: test.progress,
            absent="no self-test of ours is under way, or the disk does not tell",
        ),
        absent="no self-test of ours is under way",
    ),
    Table[Model, SelfTestRecord](
        ("disk", "kind"),
        _tests,
        Metric(
            "bkp_selftest_run_end",
            "How the last self-test that a run of ours began ended: 1 for the one that holds, 0 for the others. Only"
            " passed and failed say something of the disk.",
            "latest.json of selftest-short, selftest-long: result.ended_as",
            lambda test: test.ended_as if test.ended_as in ENDS else None,
            labels=("end",),
            states=ENDS,
            absent="none has ended",
        ),
        absent="none has ended, or its record cannot be read",
    ),
)
