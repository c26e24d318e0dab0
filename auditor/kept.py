"""Keeps a report in the state, where the next one compares itself with it and the exporter reads its verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bkp.state.audits import KeptReports
from bkp.state.files import MAX_BYTES, encode_record

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from auditor.report import Report, RuleResult
    from bkp.state.audits import Kept, KeptReport

_ROOM = MAX_BYTES // 2  # a record is written with blanks and line feeds, and what is kept beside the report


def keep_report(state: Path, report: Report, before: Kept[KeptReport] | None) -> Path:
    """Keep the report and return its file. `before` is the newest that is kept, None where there is none.

    Raise `StateError` if it cannot be kept.
    """
    return KeptReports(state).keep(fitting(report), report.judged_at, unmet_since(report, before))


def unmet_since(report: Report, before: Kept[KeptReport] | None) -> dict[str, datetime]:
    """Return since which report in a row each rule is not met; a rule that is met now is not among them."""
    earlier = before.unmet_since if before is not None else {}
    return {
        result.id: min(earlier.get(result.id, report.judged_at), report.judged_at)
        for result in report.results
        if result.verdict.needs_somebody
    }


def fitting(report: Report, most: int = _ROOM) -> Report:
    """Return the report, or, where no reader would take a file so large, as much of its evidence as fits."""
    found = report
    for subjects, observations in ((50, 20), (50, 2), (10, 0), (1, 0)):
        found = msgspec.structs.replace(
            report, results=tuple(_shorter(result, subjects, observations) for result in report.results)
        )
        if len(encode_record(found)) <= most:
            break
    return found


def _shorter(result: RuleResult, subjects: int, observations: int) -> RuleResult:
    few = (
        msgspec.structs.replace(each, observations=each.observations[:observations])
        for each in result.subjects[:subjects]
    )
    return msgspec.structs.replace(result, subjects=tuple(few))
