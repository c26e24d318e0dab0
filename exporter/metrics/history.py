"""Whether the chain of the history holds."""

from __future__ import annotations

from bkp.state.ledger import ChainReport
from exporter.metrics.metric import Metric, Section, Table
from exporter.model import Model

SECTION = Section[Model](
    "history",
    "History",
    "The append-only history of all runs, read again whenever it changes.",
    Table[Model, ChainReport](
        (),
        lambda model: [((), model.history.chain)] if model.history.chain is not None else [],
        Metric(
            "bkp_history_intact",
            "1 if every line of the history is readable and chained to the one before it, 0 if not.",
            "history.jsonl",
            lambda chain: chain.intact,
        ),
        Metric(
            "bkp_history_lines",
            "Lines of the history that hold, counted from its beginning to the first that does not.",
            "history.jsonl",
            lambda chain: chain.lines,
        ),
        absent="there is no history yet, or it cannot be opened",
    ),
)
