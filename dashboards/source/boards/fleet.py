"""All servers: which one needs somebody."""

from __future__ import annotations

from dashboards.source.boards.shared import (
    ANSWERS,
    PARTS_WORK,
    SEEN,
    SERVER_KEY,
    TO_COMPLIANCE,
    TO_SERVER,
    TO_STORAGE,
    WATCHED,
    WORST,
    alerts,
    concerns,
)
from dashboards.source.dashboard import Dashboard, line, section
from dashboards.source.looks import (
    CLEAN,
    NONE_BETTER,
    NONE_WANTED,
    PARTS,
    PLAIN_COUNT,
    SEVERITY,
    TEXT,
    WHEN,
    YES_WANTED,
    Look,
)
from dashboards.source.panels import graph, stat, timeline, to
from dashboards.source.query import SERVER, milliseconds, newest
from dashboards.source.table import Column, Key, table

JOBS_BAD = "bkp_job_status{status=~'late|failed|never|unknown'}"
POOLS_BAD = "bkp_pool_state{state!='online'}"
DISKS_BAD = "bkp_disk_health{state!='passed'}"


SERVERS_OF_IT = to("bkp-server", "All of them")
OLDEST = f"min by ({SERVER}) (bkp_repository_newest_archive_timestamp_seconds)"


def _of(metric: str) -> str:
    return f"sum by ({SERVER}) (max by ({SERVER}, job_name, target, status, pool, disk, state) ({metric}))"


GLANCE = line(
    4,
    stat(
        "Known servers",
        f"count({SEEN})",
        PLAIN_COUNT,
        "Servers that answered Prometheus within the last 30 days.",
        missing="none",
    ),
    stat(
        "Do not answer",
        f"count({ANSWERS}) - sum({ANSWERS})",
        NONE_WANTED,
        "Servers that were seen within 30 days and do not answer now, or are scraped no more. Nothing new is known of"
        " them.",
    ),
    stat(
        "Critical",
        "sum(bkp_concerns{severity='critical'})",
        NONE_WANTED,
        "Concerns that want somebody now, of the servers that answer.",
        SERVERS_OF_IT,
    ),
    stat(
        "Warnings",
        "sum(bkp_concerns{severity='warning'})",
        NONE_BETTER,
        "Concerns that want somebody soon, of the servers that answer.",
        SERVERS_OF_IT,
    ),
    stat(
        "Jobs not well",
        f"sum({_of(JOBS_BAD)})",
        NONE_WANTED,
        "Jobs that are late, failed, never succeeded, or of which nothing is known.",
        SERVERS_OF_IT,
    ),
    stat(
        "Alert rules",
        "max(ALERTS{alertname='Watchdog',alertstate='firing'})",
        WATCHED,
        "Whether Prometheus judges our alert rules: the alert that always fires does.",
        missing="not loaded",
    ),
)

SERVERS = table(
    "Servers",
    "One row for each server that was seen within 30 days. Of one that does not answer, nothing else is known.",
    (SERVER_KEY, Key("version", "bkp", Look(TEXT))),
    Column("", f"max by ({SERVER}, version) (bkp_exporter_build_info)"),
    Column("Answers", ANSWERS, YES_WANTED),
    Column("Its parts", PARTS_WORK, PARTS),
    Column("Worst", WORST, SEVERITY, (TO_SERVER,)),
    Column("Oldest of the newest archives", milliseconds(OLDEST), WHEN),
    Column("Jobs not well", _of(JOBS_BAD), NONE_WANTED, (TO_SERVER,)),
    Column("Audit", newest("bkp_audit_clean"), CLEAN, (TO_COMPLIANCE,)),
    Column("Pools not online", _of(POOLS_BAD), NONE_WANTED, (TO_STORAGE,)),
    Column("Disks not well", _of(DISKS_BAD), NONE_WANTED, (TO_STORAGE,)),
    sort="-Worst",
)

BOARD = Dashboard(
    "bkp-fleet",
    "Backups: fleet",
    "Every backup server: which one needs somebody, and for what.",
    (
        section("At a glance", GLANCE, line(9, SERVERS)),
        section("What is wrong", line(10, concerns()), line(8, alerts())),
        section(
            "Over time",
            line(
                9,
                timeline(
                    "Worst concern of each server",
                    WORST,
                    "{{instance}}",
                    SEVERITY,
                    "The gravest concern at each moment. A gap: the server did not answer.",
                ),
            ),
            line(
                8,
                graph(
                    "Concerns",
                    PLAIN_COUNT,
                    "How many concerns of each severity there are, over the servers that answer.",
                    ("sum by (severity) (bkp_concerns)", "{{severity}}"),
                ),
                graph(
                    "Servers that answer",
                    PLAIN_COUNT,
                    "How many of the servers that were seen within 30 days answer.",
                    (f"sum({ANSWERS})", "answer"),
                    (f"count({SEEN})", "limit: seen within 30 days"),
                ),
            ),
        ),
    ),
)
