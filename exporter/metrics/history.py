"""Whether the history is whole."""

from __future__ import annotations

from bkp.survey import Survey
from exporter.metrics.metric import Metric, MetricSection, Table
from exporter.model import Model

SECTION = MetricSection[Model](
    "history",
    "History",
    "The append-only history of all runs, read again whenever it changes.",
    Table[Model, Survey](
        (),
        lambda model: [((), model.survey)] if model.survey.history.chain is not None else [],
        Metric(
            "bkp_history_intact",
            "1 if every line of the history is readable and chained to the one before it, and the newest recorded run"
            " has a line, 0 if not.",
            "history.jsonl, latest.json and success.json",
            lambda survey: survey.history_problem is None,
        ),
        Metric(
            "bkp_history_lines",
            "Lines of the history that hold, counted from its beginning to the first that does not.",
            "history.jsonl",
            lambda survey: survey.history.chain.lines if survey.history.chain is not None else None,
        ),
        absent="there is no history yet, or it cannot be opened",
    ),
)
