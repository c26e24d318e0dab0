"""Metrics of what the checks and the restore drill last found."""

from __future__ import annotations

from exporter.catalogue.metric import Metric, Section

_CHECK = ("repository", "job_name")
_NO_CHECK = "none has ended with a verdict, or a later one may be hidden: the history is not whole"

PASSED = Metric(
    "bkp_check_passed",
    "Verdict of the last check of the repository that came to one: 1 passed, 0 failed. job_name is check for the"
    " repository's structure and verify for its data.",
    "newest run in latest.json, success.json or the history that ended in success, warning or failure",
    _CHECK,
    absent=_NO_CHECK,
)
FINISHED = Metric(
    "bkp_check_finished_timestamp_seconds",
    "End of the check that gave the verdict.",
    "ended_at of the same run",
    _CHECK,
    "seconds",
    absent=_NO_CHECK,
)
SECTION = Section(
    "checks",
    "Checks",
    "What borg check last said of each repository. A check that is under way, was interrupted, skipped or deferred"
    " leaves the verdict before it in place.",
    (PASSED, FINISHED),
)

_REPOSITORY = ("repository",)
_NO_DRILL = "no drill has compared files yet, or a later one may be hidden: the history is not whole"


def _files(name: str, help_text: str, field: str) -> Metric:
    return Metric(name, help_text, f"result.{field} of a drill", _REPOSITORY, absent=_NO_DRILL)


DRILL_FINISHED = Metric(
    "bkp_drill_finished_timestamp_seconds",
    "End of the last restore drill that compared files.",
    "ended_at of the drill's run",
    _REPOSITORY,
    "seconds",
    absent=_NO_DRILL,
)
DRILL_FILES = _files("bkp_drill_files", "Files of the sample that the last restore drill was to restore.", "files")
DRILL_MATCHED = _files(
    "bkp_drill_matched_files", "Files that the last restore drill restored with the recorded SHA-256.", "matched"
)
DRILL_MISMATCHED = _files(
    "bkp_drill_mismatched_files", "Files that the last restore drill restored with another SHA-256.", "mismatched"
)
DRILL_MISSING = _files(
    "bkp_drill_missing_files", "Files of the sample that the last restore drill did not find in the archive.", "missing"
)
DRILL_BYTES = Metric(
    "bkp_drill_restored_bytes",
    "Bytes that the last restore drill restored.",
    "result.bytes of a drill",
    _REPOSITORY,
    "bytes",
    absent=_NO_DRILL,
)
DRILL_DURATION = Metric(
    "bkp_drill_duration_seconds",
    "How long the last restore drill took to restore and compare.",
    "result.seconds of a drill",
    _REPOSITORY,
    "seconds",
    absent=_NO_DRILL,
)
DRILL_SECTION = Section(
    "drills",
    "Restore drill",
    "What the last drill found when it restored a random sample of files and compared their hashes.",
    (
        DRILL_FINISHED,
        DRILL_FILES,
        DRILL_MATCHED,
        DRILL_MISMATCHED,
        DRILL_MISSING,
        DRILL_BYTES,
        DRILL_DURATION,
    ),
)
