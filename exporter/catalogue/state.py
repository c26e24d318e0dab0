"""Metrics of the state directory itself: can its files be read, how old are they, does the history hold."""

from __future__ import annotations

from exporter.catalogue.metric import Metric, Section

_NO_DIRECTORY = "the state directory is not there"

DIRECTORY_PRESENT = Metric(
    "bkp_state_directory_present",
    "1 if the state directory is there, 0 if not: bkp-run never ran, or its file system is not mounted. Every job is"
    " unknown then.",
    "paths.state",
    absent="it cannot be told: a folder above it is closed to the exporter",
)
UNREADABLE_FILES = Metric(
    "bkp_state_unreadable_files",
    "State files that cannot be used; bkp_state_file_unreadable names them.",
    "state directory",
    absent=_NO_DIRECTORY,
)
FILE_UNREADABLE = Metric(
    "bkp_state_file_unreadable",
    "1 if the state file cannot be used (torn, not a regular file, too large, of an unknown version, not permitted; the"
    " history only if no line of it can be read, for bkp_history_intact tells of single ones), 0 if it can. The status"
    " page says why.",
    "state directory",
    ("file",),
    absent=f"the file was never written, or {_NO_DIRECTORY}",
)
FILE_WRITTEN = Metric(
    "bkp_state_file_written_timestamp_seconds",
    "Time when the state file was last written.",
    "modification time of the file",
    ("file",),
    "seconds",
    absent=f"the file was never written, or cannot be used, or {_NO_DIRECTORY}",
)
UNCONFIGURED = Metric(
    "bkp_state_unconfigured_targets",
    "Jobs on targets that the state directory has records of and the configuration does not name.",
    "state directory, configuration",
    absent=f"{_NO_DIRECTORY}, or is closed to the exporter",
)

SECTION = Section(
    "state",
    "State files",
    "file is the path below the state directory. A file that cannot be used takes away the samples that need it and"
    " nothing else.",
    (DIRECTORY_PRESENT, UNREADABLE_FILES, FILE_UNREADABLE, FILE_WRITTEN, UNCONFIGURED),
)

HISTORY_INTACT = Metric(
    "bkp_history_intact",
    "1 if every line of the history is readable and chained to the one before it, and the newest recorded run has a"
    " line, 0 if not.",
    "history.jsonl, latest.json and success.json",
    absent="there is no history yet, or it cannot be opened",
)
HISTORY_LINES = Metric(
    "bkp_history_lines",
    "Lines of the history that hold, counted from its beginning to the first that does not.",
    "history.jsonl",
    absent="there is no history yet, or it cannot be opened",
)

HISTORY_SECTION = Section(
    "history",
    "History",
    "The append-only history of all runs, read again whenever it changes.",
    (HISTORY_INTACT, HISTORY_LINES),
)
