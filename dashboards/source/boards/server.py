"""One server: its concerns, its jobs, its sources, its replicas, its mails, what it knows of itself."""

from __future__ import annotations

from dashboards.source.boards.shared import (
    ANSWERS,
    PARTS_WORK,
    SERVER_KEY,
    TO_DISK,
    TO_POOL,
    TO_REPOSITORY,
    WORST,
    alerts,
    bad,
    concerns,
    runs,
    sources,
)
from dashboards.source.dashboard import Dashboard, line, section
from dashboards.source.looks import (
    BYTES,
    COUNT,
    CRITICAL,
    GOOD,
    LATE,
    LIMITS,
    NO_WANTED,
    NONE_BETTER,
    NONE_WANTED,
    PARTS,
    PLAIN_COUNT,
    SECONDS,
    SEVERITY,
    SHARE,
    TEXT,
    WARNING,
    WHEN,
    YES_WANTED,
    Look,
    states_of,
)
from dashboards.source.panels import graph, stat, timeline
from dashboards.source.query import SERVER, age, beyond, late, milliseconds, newest, state_of
from dashboards.source.table import Column, Key, table

JOB = f"{SERVER}, job_name, target"
REPLICATION = f"{SERVER}, replication"
DATASET = f"{SERVER}, replication, dataset"

LAST_SUCCESS = newest("bkp_job_last_success_timestamp_seconds", JOB)
JOB_DEADLINE = newest("bkp_job_deadline_timestamp_seconds", JOB)
COMMON = newest("bkp_replication_newest_common_timestamp_seconds", REPLICATION)
LAG = age(COMMON)
LAG_WARNING = newest("bkp_replication_lag_warning_seconds", REPLICATION)
LAG_CRITICAL = newest("bkp_replication_lag_critical_seconds", REPLICATION)
WATCH_AGE = age(newest("bkp_watch_looked_timestamp_seconds"))
LOOKED = newest("bkp_observation_looked_timestamp_seconds", f"{SERVER}, observation, part")
LOOKS_LIMIT = newest("bkp_observation_limit_seconds", f"{SERVER}, observation")
HAPPENED = Look(names=(("0", "no", GOOD), ("1", "yes", WARNING)), coloured=True)

GLANCE = line(
    4,
    bad("Worst concern", f"max({WORST})", SEVERITY, "The gravest of the concerns that there are now."),
    bad("Critical", "sum(bkp_concerns{severity='critical'})", NONE_WANTED, "Concerns that want somebody now."),
    bad("Warnings", "sum(bkp_concerns{severity='warning'})", NONE_BETTER, "Concerns that want somebody soon."),
    stat(
        "Answers",
        f"min({ANSWERS})",
        YES_WANTED,
        "Whether the exporter answers; of several servers, whether all do.",
    ),
    stat(
        "State directory",
        "min(bkp_state_directory_present)",
        Look(names=(("1", "there", GOOD), ("0", "not there", CRITICAL)), coloured=True),
        "Whether the state directory is there. Without it every job is unknown.",
    ),
    stat(
        "History",
        "min(bkp_history_intact)",
        Look(names=(("1", "whole", GOOD), ("0", "broken", CRITICAL)), coloured=True),
        "Whether the history of runs is whole. If not, no verdict about the past holds.",
        missing="none yet",
    ),
    stat(
        "Exporter",
        f"min({PARTS_WORK})",
        PARTS,
        "Whether all parts of the exporter work. What one that fails would tell is missing here.",
    ),
    stat(
        "Configuration",
        "min(bkp_config_last_reload_successful)",
        Look(names=(("1", "in use", GOOD), ("0", "not valid", WARNING)), coloured=True),
        "Whether the configuration file as it is now is in use.",
    ),
)

JOBS = table(
    "Jobs",
    "Every configured job on each of its targets. A job that was never run is here, too.",
    (
        SERVER_KEY,
        Key("job_name", "Job"),
        Key("target", "Target", links=(TO_REPOSITORY, TO_POOL, TO_DISK)),
        Key("schedule", "Schedule", Look(TEXT)),
    ),
    Column("", newest("bkp_job_info", f"{JOB}, schedule")),
    Column("Status", state_of("bkp_job_status", JOB), states_of("bkp_job_status")),
    Column("Last success", milliseconds(LAST_SUCCESS), WHEN),
    Column("Deadline", milliseconds(JOB_DEADLINE), WHEN),
    Column("In time", late(JOB_DEADLINE, LAST_SUCCESS, JOB), LATE),
    Column("Last attempt", milliseconds(newest("bkp_job_last_attempt_timestamp_seconds", JOB)), WHEN),
    Column("It ended", state_of("bkp_job_last_attempt_outcome", JOB), states_of("bkp_job_last_attempt_outcome")),
    Column("It took", newest("bkp_job_last_attempt_duration_seconds", JOB), Look(SECONDS)),
    Column("Warnings", newest("bkp_job_last_attempt_warnings", JOB), Look(COUNT, ((1, WARNING),))),
    Column("Errors", newest("bkp_job_last_attempt_errors", JOB), Look(COUNT, ((1, CRITICAL),))),
    Column("Mail", state_of("bkp_job_last_attempt_mail", JOB), states_of("bkp_job_last_attempt_mail")),
    Column("Paused until", milliseconds(newest("bkp_job_paused_until_timestamp_seconds", JOB)), WHEN),
    Column("Running since", milliseconds(newest("bkp_job_running_since_timestamp_seconds", JOB)), WHEN),
    sort="Job",
)

OBSERVED = table(
    "What the probe sees",
    "Every pool, dataset and disk, and the host: whether the last look saw it, and of when its values are.",
    (SERVER_KEY, Key("observation", "Kind"), Key("part", "Part")),
    Column("Seen", newest("bkp_observation_success", f"{SERVER}, observation, part"), YES_WANTED),
    Column("Last look", milliseconds(LOOKED), WHEN),
    Column("Looks", f"{age(LOOKED)} > bool on ({SERVER}, observation) group_left {LOOKS_LIMIT}", LATE),
    Column(
        "Values of",
        milliseconds(newest("bkp_observation_seen_timestamp_seconds", f"{SERVER}, observation, part")),
        WHEN,
    ),
    Column("In the future", newest("bkp_observation_in_future", f"{SERVER}, observation, part"), NO_WANTED),
    sort="Kind",
)

HOST = table(
    "Host",
    "What of the host the pools and disks depend on. What a host does not tell is not known.",
    (SERVER_KEY, Key("running", "Kernel"), Key("newest", "Newest kernel")),
    Column("", newest("bkp_host_kernel_info", f"{SERVER}, running, newest")),
    Column("Newest has ZFS", newest("bkp_host_newest_kernel_has_zfs"), YES_WANTED),
    Column("Undervoltage", newest("bkp_host_undervoltage"), HAPPENED),
    Column("USB resets", newest("bkp_host_usb_resets"), NONE_BETTER),
    Column("Scrub schedules", newest("bkp_host_scrub_schedules")),
    Column("Self-test schedules", newest("bkp_host_self_test_schedules")),
    Column("ZFS cache", newest("bkp_host_zfs_cache_bytes"), Look(BYTES)),
)

REPLICATIONS = table(
    "Replications",
    "How far each replica is behind its live server, and what its newest pull came to. One that was never received, or"
    " whose live server was never asked, has no lag that is known.",
    (SERVER_KEY, Key("replication", "Replication")),
    Column("Newest in common", milliseconds(COMMON), WHEN),
    Column("Behind by", LAG, Look(SECONDS)),
    Column("Warning from", LAG_WARNING, Look(SECONDS)),
    Column("Critical from", LAG_CRITICAL, Look(SECONDS)),
    Column("Lag", beyond(LAG, LAG_WARNING, LAG_CRITICAL), LIMITS),
    Column("Last pull", milliseconds(newest("bkp_replication_measured_timestamp_seconds", REPLICATION)), WHEN),
    Column("Received", newest("bkp_replication_received_bytes", REPLICATION), Look(BYTES)),
    Column("It took", newest("bkp_replication_pull_duration_seconds", REPLICATION), Look(SECONDS)),
    Column("Datasets", newest("bkp_replication_datasets", REPLICATION)),
    Column("Never received", newest("bkp_replication_lacking_datasets", REPLICATION), NONE_WANTED),
    Column("Cut off", newest("bkp_replication_cut_off_datasets", REPLICATION), NONE_BETTER),
    Column("Cut off since", milliseconds(newest("bkp_replication_cut_off_timestamp_seconds", REPLICATION)), WHEN),
    Column("Live server refuses", newest("bkp_replication_gate_refused", REPLICATION), YES_WANTED),
    Column("Tried", milliseconds(newest("bkp_replication_gate_tested_timestamp_seconds", REPLICATION)), WHEN),
    sort="Replication",
)

REPLICAS = table(
    "Received datasets",
    "The newest snapshot that each dataset has in common with the live server. A dataset that is missing here was never"
    " received.",
    (SERVER_KEY, Key("replication", "Replication"), Key("dataset", "Dataset")),
    Column(
        "Newest in common",
        milliseconds(newest("bkp_replication_dataset_newest_common_timestamp_seconds", DATASET)),
        WHEN,
    ),
    sort="Replication",
)

MAILS = table(
    "Mails and watch",
    "What waits to be sent, what was given up (nobody was told of that), and whether the watch looks: it mails what"
    " changes between runs.",
    (SERVER_KEY,),
    Column("Wait", newest("bkp_outbox_mails"), NONE_BETTER),
    Column("Oldest", milliseconds(newest("bkp_outbox_oldest_timestamp_seconds")), WHEN),
    Column("Given up", newest("bkp_outbox_given_up_mails"), NONE_WANTED),
    Column("Size", newest("bkp_outbox_size_bytes"), Look(BYTES)),
    Column("Test mail confirmed", milliseconds(newest("bkp_mail_confirmed_timestamp_seconds")), WHEN),
    Column("Watch looked", milliseconds(newest("bkp_watch_looked_timestamp_seconds")), WHEN),
    Column("Watch", f"{WATCH_AGE} > bool {newest('bkp_watch_limit_seconds')}", LATE),
)

FILES = table(
    "State files",
    "Whether each file of the state can be used, and when it was written. The status page says what is wrong with one.",
    (SERVER_KEY, Key("file", "File")),
    Column("Unusable", newest("bkp_state_file_unreadable", f"{SERVER}, file"), NO_WANTED),
    Column("Written", milliseconds(newest("bkp_state_file_written_timestamp_seconds", f"{SERVER}, file")), WHEN),
    sort="-Unusable",
)

BOARD = Dashboard(
    "bkp-server",
    "Backups: one server",
    "One backup server (or several): its concerns, its jobs, its replicas, what the probe sees, and the exporter.",
    (
        section("At a glance", GLANCE, line(9, concerns())),
        section(
            "Jobs",
            line(11, JOBS),
            line(
                9,
                timeline(
                    "Status of the jobs",
                    state_of("bkp_job_status", JOB),
                    "{{job_name}} on {{target}}",
                    states_of("bkp_job_status"),
                    "The status of each job, as the exporter saw it. A gap: the exporter did not answer.",
                ),
            ),
            line(
                8,
                graph(
                    "How long the last attempt took",
                    Look(SECONDS),
                    "Of each job, whatever became of it.",
                    (newest("bkp_job_last_attempt_duration_seconds", JOB), "{{job_name}} on {{target}}"),
                ),
                graph(
                    "Free space of the repositories' file systems",
                    Look(SHARE),
                    "Share that is free, as of the last night whose record has it.",
                    (
                        (
                            f"{newest('bkp_repository_filesystem_free_bytes', f'{SERVER}, repository')}"
                            f" / {newest('bkp_repository_filesystem_size_bytes', f'{SERVER}, repository')}"
                        ),
                        "{{repository}}",
                    ),
                ),
            ),
            line(8, sources()),
        ),
        section("Pools, disks and host", line(8, OBSERVED, HOST)),
        section(
            "Replications",
            line(7, REPLICATIONS),
            line(
                8,
                graph(
                    "How far replicas are behind, and the limits",
                    Look(SECONDS),
                    "Age of the newest snapshot that all datasets have in common with the live server.",
                    (LAG, "{{replication}}"),
                    (LAG_WARNING, "limit: {{replication}} warning"),
                    (LAG_CRITICAL, "limit: {{replication}} critical"),
                ),
                REPLICAS,
            ),
        ),
        section(
            "Alerts and mails",
            line(7, alerts()),
            line(5, MAILS),
            line(
                7,
                graph(
                    "Mails that wait",
                    PLAIN_COUNT,
                    "How many mails no server has taken yet.",
                    (newest("bkp_outbox_mails"), "{{instance}}"),
                ),
                graph(
                    "Time since the watch looked, and the limit",
                    Look(SECONDS),
                    "Beyond the limit, what changes between runs is not mailed.",
                    (WATCH_AGE, "{{instance}}"),
                    (newest("bkp_watch_limit_seconds"), "limit: {{instance}}"),
                ),
            ),
        ),
        section(
            "State and exporter",
            line(8, FILES),
            line(
                7,
                graph(
                    "Processor time of the exporter",
                    Look(SHARE),
                    "Share of one processor that the exporter takes.",
                    (f"sum by ({SERVER}) (rate(process_cpu_seconds_total[$__rate_interval]))", "{{instance}}"),
                ),
                graph(
                    "Memory of the exporter",
                    Look(BYTES),
                    "Resident memory of the exporter.",
                    (newest("process_resident_memory_bytes"), "{{instance}}"),
                ),
                graph(
                    "Age of what the exporter says",
                    Look(SECONDS),
                    "How long ago the exporter read the state. Beyond five minutes it answers with an error.",
                    (f"time() - {newest('bkp_exporter_snapshot_timestamp_seconds')}", "{{instance}}"),
                    least=None,
                ),
                graph(
                    "Time of the collectors",
                    Look(SECONDS),
                    "How long each collector of the exporter took.",
                    (newest("bkp_exporter_collector_duration_seconds", f"{SERVER}, collector"), "{{collector}}"),
                ),
            ),
        ),
    ),
    marks=(runs(),),
)
