"""The state directory: whether it is there, which of its files can be used, and when they were written."""

from __future__ import annotations

from exporter.metrics.metric import Metric, MetricSection, Table, label_text, one_row
from exporter.model import Model, StateFile

_NO_DIRECTORY = "the state directory is not there"


def _unreadable(model: Model) -> int | None:
    return sum(file.problem is not None for file in model.files) if model.survey.presence.there is not False else None


SECTION = MetricSection[Model](
    "state",
    "State files",
    "file is the path below the state directory; the end of a run that waits beside the locks to be recorded has its"
    " whole path. A file that cannot be used takes away the samples that need it and nothing else.",
    Table[Model, Model](
        (),
        one_row,
        Metric(
            "bkp_state_directory_present",
            "1 if the state directory is there, 0 if not: bkp-run never ran, or its file system is not mounted. Every"
            " job is unknown then.",
            "paths.state",
            lambda model: model.survey.presence.there,
            absent="it cannot be told: a folder above it is closed to the exporter",
        ),
        Metric(
            "bkp_state_unreadable_files",
            "State files that cannot be used; bkp_state_file_unreadable names them.",
            "state directory",
            _unreadable,
            absent=_NO_DIRECTORY,
        ),
    ),
    Table[Model, StateFile](
        ("file",),
        lambda model: (((label_text(file.name),), file) for file in model.files),
        Metric(
            "bkp_state_file_unreadable",
            "1 if the state file cannot be used (torn, not a regular file, too large, of an unknown version, not"
            " permitted; the history only if no line of it can be read, for bkp_history_intact tells of single ones), 0"
            " if it can. The status page says why.",
            "state directory",
            lambda file: file.problem is not None,
            absent=f"the file was never written, or {_NO_DIRECTORY}",
        ),
        Metric(
            "bkp_state_file_written_timestamp_seconds",
            "Time when the state file was last written.",
            "modification time of the file",
            lambda file: file.written_at,
            absent=f"the file was never written, or cannot be used, or {_NO_DIRECTORY}",
        ),
    ),
    Table[Model, Model](
        (),
        one_row,
        Metric(
            "bkp_state_unconfigured_targets",
            "Jobs on targets that the state directory has records of and the configuration does not name.",
            "state directory, configuration",
            lambda model: len(model.survey.others) if model.survey.presence.problem is None else None,
            absent=f"{_NO_DIRECTORY}, or is closed to the exporter",
        ),
    ),
)
