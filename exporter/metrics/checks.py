"""The last verdict of each check of each repository."""

from __future__ import annotations

from bkp.past import Checked
from exporter.metrics.metric import Metric, MetricSection, Table
from exporter.model import Model

SECTION = MetricSection[Model](
    "checks",
    "Checks",
    "What borg check last said of each repository. A check that is under way, was interrupted, skipped or deferred"
    " leaves the verdict before it in place.",
    Table[Model, Checked](
        ("repository", "job_name"),
        lambda model: (((h.name, c.job), c.verdict) for h in model.holdings for c in h.checks if c.verdict is not None),
        Metric(
            "bkp_check_passed",
            "Verdict of the last check of the repository that came to one: 1 passed, 0 failed. job_name is check for"
            " the repository's structure and verify for its data.",
            "newest run in latest.json, success.json or the history that ended in success, warning or failure",
            lambda verdict: verdict.passed,
        ),
        Metric(
            "bkp_check_finished_timestamp_seconds",
            "End of the check that gave the verdict.",
            "ended_at of the same run",
            lambda verdict: verdict.ended_at,
        ),
        absent="none has ended with a verdict, or a later one may be hidden: the history is not whole",
    ),
)
