"""One repository: is tonight's archive good, was it proven, how does it grow, when is it full."""

from __future__ import annotations

from dashboards.source.boards.shared import SERVER_KEY, bad, escrow, runs, sources
from dashboards.source.dashboard import Dashboard, Variable, line, section
from dashboards.source.looks import (
    BYTES,
    COUNT,
    CRITICAL,
    GOOD,
    LATE,
    NONE_BETTER,
    NONE_WANTED,
    PLAIN_COUNT,
    SECONDS,
    TEXT,
    WARNING,
    WHEN,
    Look,
    states_of,
)
from dashboards.source.panels import graph, stat, timeline
from dashboards.source.query import SERVER, late, least, milliseconds, newest, state_of, worst
from dashboards.source.table import Column, Key, table

OWN = "repository=~'$repository'"
TARGET = "target=~'$repository'"
NIGHTLY, CHECK, VERIFY = f"{TARGET},job_name='nightly'", f"{OWN},job_name='check'", f"{OWN},job_name='verify'"
KEYS = f"{SERVER}, repository"
JOB = f"{SERVER}, job_name, target"
PASSED = Look(names=(("1", "passed", GOOD), ("0", "failed", CRITICAL)), coloured=True)
GOOD_OR_NOT = Look(names=(("1", "good", GOOD), ("0", "not good", CRITICAL)), coloured=True)


def _of(metric: str, keys: str = KEYS, where: str = OWN) -> str:
    return newest(metric, keys, where)


EXPECTED = newest("bkp_job_info", f"{SERVER}, target", f"{TARGET},job_name='nightly'")
FREE = _of("bkp_repository_filesystem_free_bytes")
DUE = _of("bkp_repository_newest_archive_deadline_timestamp_seconds")
FREE_NOW = f"bkp_repository_filesystem_free_bytes{{{OWN}}}"

REPOSITORY = Variable(
    "repository",
    "Repository",
    "label_values(bkp_job_info{job=~'$job',instance=~'$instance',job_name='nightly'}, target)",
)

GLANCE = (
    line(
        4,
        stat(
            "Nightly",
            f"max({state_of('bkp_job_status', JOB, NIGHTLY)})",
            states_of("bkp_job_status"),
            "Status of the nightly backup; of several repositories one of them.",
        ),
        stat(
            "Newest good archive",
            least(milliseconds(_of("bkp_repository_newest_archive_timestamp_seconds")), EXPECTED),
            WHEN,
            "When the newest archive that counts was begun; of several repositories the oldest of them. Not known where"
            " one of them has none.",
        ),
        stat(
            "Last archive",
            worst(_of("bkp_last_archive_confirmed"), EXPECTED),
            GOOD_OR_NOT,
            "Whether the last archive is a good one: listed, with files, with every source, and not too small.",
        ),
        stat(
            "Check",
            worst(_of("bkp_check_passed", KEYS, CHECK), EXPECTED),
            PASSED,
            "The last check of the repository's structure that came to a verdict; of several repositories, of all.",
        ),
        stat(
            "Verify",
            worst(_of("bkp_check_passed", KEYS, VERIFY), EXPECTED),
            PASSED,
            "The last check of the repository's data that came to a verdict; of several repositories, of all.",
        ),
        stat(
            "Restored as they were",
            worst(f"{_of('bkp_drill_matched_files')} / {_of('bkp_drill_files')}", EXPECTED),
            Look("percentunit", ((0, CRITICAL), (1, GOOD)), coloured=True),
            "Share of the files of the last restore drill that came back as they were. No file: not known.",
        ),
    ),
    line(
        4,
        stat("Archives", f"sum({_of('bkp_repository_archives')})", PLAIN_COUNT, "Archives that count."),
        bad(
            "Set aside",
            f"sum({_of('bkp_repository_incomplete_archives')})",
            NONE_BETTER,
            "Archives that do not count: not proven, incomplete, or suspiciously small.",
        ),
        bad(
            "Gone",
            f"sum({_of('bkp_repository_gone_archives')})",
            NONE_WANTED,
            "Archives that were recorded, are listed no more, and were removed by no prune of ours.",
        ),
        bad(
            "Missing sources",
            f"max({_of('bkp_last_archive_missing_sources')})",
            NONE_WANTED,
            "Sources that the last archive lacks.",
        ),
        stat(
            "Free",
            f"min({FREE})",
            Look(BYTES),
            "Free space of the repository's file system; of several repositories the least.",
        ),
        stat(
            "Full in",
            f"min({FREE} / on ({KEYS}) (0 - (max by ({KEYS}) (deriv({FREE_NOW}[14d])) < 0)))",
            Look(SECONDS, ((0, CRITICAL), (14 * 86400, WARNING), (60 * 86400, GOOD)), coloured=True),
            "When the file system is full if it goes on as in the last 14 days.",
            missing="not in sight, or not known",
        ),
    ),
)

FACTS = table(
    "Repositories",
    "What borg said of each repository, and since when that is known.",
    (
        SERVER_KEY,
        Key("repository", "Repository"),
        Key("id", "Borg id", Look(TEXT)),
        Key("encryption", "Encryption", Look(TEXT)),
    ),
    Column("", _of("bkp_repository_info", f"{KEYS}, id, encryption")),
    Column("As of", milliseconds(_of("bkp_repository_facts_timestamp_seconds")), WHEN),
    Column("Archives", _of("bkp_repository_archives")),
    Column("Oldest", milliseconds(_of("bkp_repository_oldest_archive_timestamp_seconds")), WHEN),
    Column("Newest", milliseconds(_of("bkp_repository_newest_archive_timestamp_seconds")), WHEN),
    Column("Next is due", milliseconds(DUE), WHEN),
    Column("In time", late(DUE, _of("bkp_repository_newest_archive_timestamp_seconds"), KEYS), LATE),
    Column("On disk", _of("bkp_repository_deduplicated_size_bytes"), Look(BYTES)),
    Column("As restored", _of("bkp_repository_original_size_bytes"), Look(BYTES)),
    Column("Chunks", _of("bkp_repository_unique_chunks"), Look(COUNT)),
)

PROOFS = table(
    "Proofs",
    "When the repository was last checked, and what that came to.",
    (SERVER_KEY, Key("repository", "Repository"), Key("job_name", "Job")),
    Column("Verdict", _of("bkp_check_passed", f"{KEYS}, job_name"), PASSED),
    Column("Ended", milliseconds(_of("bkp_check_finished_timestamp_seconds", f"{KEYS}, job_name")), WHEN),
)

DRILL = table(
    "Restore drill",
    "The last restore drill that compared files.",
    (SERVER_KEY, Key("repository", "Repository")),
    Column("Ended", milliseconds(_of("bkp_drill_finished_timestamp_seconds")), WHEN),
    Column("Files", _of("bkp_drill_files"), Look(COUNT, ((0, CRITICAL), (1, GOOD)))),
    Column("As they were", _of("bkp_drill_matched_files")),
    Column("Different", _of("bkp_drill_mismatched_files"), NONE_WANTED),
    Column("Missing", _of("bkp_drill_missing_files"), NONE_WANTED),
    Column("Restored", _of("bkp_drill_restored_bytes"), Look(BYTES)),
    Column("It took", _of("bkp_drill_duration_seconds"), Look(SECONDS)),
)

KEY = table(
    "Key",
    "The repository's key, as the last run found it, and when a copy from outside the server was proven to open it.",
    (SERVER_KEY, Key("repository", "Repository"), Key("fingerprint", "Fingerprint begins", Look(TEXT))),
    Column("", _of("bkp_repository_key_info", f"{KEYS}, fingerprint")),
    Column("The same since", milliseconds(_of("bkp_repository_key_changed_timestamp_seconds")), WHEN),
    Column("Opened from outside", milliseconds(_of("bkp_escrow_opened_timestamp_seconds")), WHEN),
    Column("That counts until", milliseconds(_of("bkp_escrow_opened_deadline_timestamp_seconds")), WHEN),
    Column("In time", f"time() > bool {_of('bkp_escrow_opened_deadline_timestamp_seconds')}", LATE),
)

ESCROW = escrow(
    TARGET,
    "What each configured location is to hold of this repository, and what people vouch for. Empty: no location is"
    " configured, or what was attested cannot be trusted.",
)

STEPS = table(
    "Steps of the last attempt",
    "Where the time of each job's last attempt went, and which step went wrong.",
    (SERVER_KEY, Key("job_name", "Job"), Key("target", "Repository"), Key("step", "Step")),
    Column(
        "It ended",
        state_of("bkp_job_last_attempt_step_outcome", f"{JOB}, step", TARGET),
        states_of("bkp_job_last_attempt_step_outcome"),
    ),
    Column("It took", _of("bkp_job_last_attempt_step_duration_seconds", f"{JOB}, step", TARGET), Look(SECONDS)),
    sort="Job",
)

BOARD = Dashboard(
    "bkp-repository",
    "Backups: one repository",
    "One Borg repository (or several): its nights, its proofs, its key, its size and when it is full.",
    (
        section("At a glance", *GLANCE),
        section(
            "Nights and proofs",
            line(
                8,
                timeline(
                    "Status of the jobs",
                    state_of("bkp_job_status", JOB, TARGET),
                    "{{job_name}} on {{target}}",
                    states_of("bkp_job_status"),
                    "The status of each job on this repository. A gap: the exporter did not answer.",
                ),
            ),
            line(
                8,
                timeline(
                    "How the attempts ended",
                    state_of("bkp_job_last_attempt_outcome", JOB, TARGET),
                    "{{job_name}} on {{target}}",
                    states_of("bkp_job_last_attempt_outcome"),
                    "The outcome of the newest attempt that ended: one change a night.",
                ),
            ),
            line(8, PROOFS, DRILL),
        ),
        section(
            "Archives",
            line(
                8,
                graph(
                    "What each archive added",
                    Look(BYTES),
                    "Compressed, without what was there before. A jump: much is new, or somebody encrypts the source.",
                    (_of("bkp_last_archive_deduplicated_size_bytes"), "{{repository}}"),
                ),
                graph(
                    "Size of the archive",
                    Look(BYTES),
                    "Of the last archive, as restored and compressed. A drop: much was deleted.",
                    (_of("bkp_last_archive_original_size_bytes"), "{{repository}} as restored"),
                    (_of("bkp_last_archive_compressed_size_bytes"), "{{repository}} compressed"),
                ),
                graph(
                    "Files of the archive",
                    Look(COUNT),
                    "Files in the last archive.",
                    (_of("bkp_last_archive_files"), "{{repository}}"),
                ),
            ),
            line(
                8,
                graph(
                    "How long borg took",
                    Look(SECONDS),
                    "To make the last archive.",
                    (_of("bkp_last_archive_duration_seconds"), "{{repository}}"),
                ),
                graph(
                    "Number of archives",
                    Look(COUNT),
                    "Those that count, and those that were set aside.",
                    (_of("bkp_repository_archives"), "{{repository}}"),
                    (_of("bkp_repository_incomplete_archives"), "{{repository}} set aside"),
                ),
            ),
            line(8, sources(OWN), STEPS),
        ),
        section("Key and escrow", line(8, KEY, ESCROW)),
        section(
            "Room",
            line(
                8,
                graph(
                    "What it takes on disk",
                    Look(BYTES),
                    "All archives, compressed and deduplicated.",
                    (_of("bkp_repository_deduplicated_size_bytes"), "{{repository}}"),
                ),
                graph(
                    "Free space, and in 14 days",
                    Look(BYTES),
                    "Free space of the file system, and what is left in 14 days if it goes on as in the last 14.",
                    (FREE, "{{repository}}"),
                    (
                        f"max by ({KEYS}) (predict_linear({FREE_NOW}[14d], 1209600))",
                        "limit: {{repository}} in 14 days",
                    ),
                    least=None,
                ),
            ),
            line(6, FACTS),
        ),
    ),
    (REPOSITORY,),
    (runs(TARGET),),
    since="now-30d",
)
