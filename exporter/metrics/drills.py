"""What the last restore drill of each repository found."""

from __future__ import annotations

from bkp.past import Drilled
from exporter.metrics.metric import Metric, MetricSection, Table
from exporter.model import Model

SECTION = MetricSection[Model](
    "drills",
    "Restore drill",
    "What the last drill found when it restored a random sample of files and compared their hashes.",
    Table[Model, Drilled](
        ("repository",),
        lambda model: (((h.name,), h.drilled) for h in model.holdings if h.drilled is not None),
        Metric(
            "bkp_drill_finished_timestamp_seconds",
            "End of the last restore drill that compared files.",
            "ended_at of the drill's run",
            lambda drill: drill.ended_at,
        ),
        Metric(
            "bkp_drill_files",
            "Files of the sample that the last restore drill was to restore.",
            "result.files of a drill",
            lambda drill: drill.result.files,
        ),
        Metric(
            "bkp_drill_matched_files",
            "Files that the last restore drill restored with the recorded SHA-256.",
            "result.matched of a drill",
            lambda drill: drill.result.matched,
        ),
        Metric(
            "bkp_drill_mismatched_files",
            "Files that the last restore drill restored with another SHA-256.",
            "result.mismatched of a drill",
            lambda drill: drill.result.mismatched,
        ),
        Metric(
            "bkp_drill_missing_files",
            "Files of the sample that the last restore drill did not find in the archive.",
            "result.missing of a drill",
            lambda drill: drill.result.missing,
        ),
        Metric(
            "bkp_drill_restored_bytes",
            "Bytes that the last restore drill restored.",
            "result.bytes of a drill",
            lambda drill: drill.result.bytes,
        ),
        Metric(
            "bkp_drill_duration_seconds",
            "How long the last restore drill took to restore and compare.",
            "result.seconds of a drill",
            lambda drill: drill.result.seconds if drill.result.seconds >= 0 else None,
        ),
        absent="no drill has compared files yet, or a later one may be hidden: the history is not whole",
    ),
)
