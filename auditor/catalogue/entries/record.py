"""Facts of the history of runs and of the audit itself."""

from __future__ import annotations

from auditor.catalogue.entries.form import T, space

ENTRIES = (
    space(
        "history",
        "The append-only history of runs.",
        "state: history.jsonl, compared with jobs/*/*/*.json",
        ("lines", T.INTEGER, "lines that hold", {"unit": "lines"}),
        (
            "intact",
            T.BOOLEAN,
            "whether each line follows the one before, and the newest recorded run is in it",
            {"said": "whole and unbroken"},
        ),
        ("problem", T.TEXT, "the first thing that is wrong with it"),
    ),
    space(
        "audit",
        "The audit itself; known when it judges, never saved.",
        "the rules and waivers of this run",
        ("rules", T.INTEGER, "rules that were judged", {"unit": "rules"}),
        ("waivers", T.INTEGER, "waivers in the waiver file", {"unit": "waivers"}),
        ("expired_waivers", T.TEXT_LIST, "rules whose waiver has expired", {"said": "rules whose waiver has expired"}),
        (
            "waivers_ending_soon",
            T.TEXT_LIST,
            "rules whose waiver ends within 14 days",
            {"said": "rules whose waiver ends soon"},
        ),
    ),
)
