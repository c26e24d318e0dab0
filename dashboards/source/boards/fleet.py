"""All servers: which one needs somebody."""

from __future__ import annotations

from dashboards.source.boards.shared import (
    ANSWERS,
    PARTS_WORK,
    SERVER_KEY,
    TO_COMPLIANCE,
    TO_SERVER,
    TO_STORAGE,
    WATCHED,
    WORST,
    alerts,
    bad,
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
# Nothing where a repository has none that counts: that of another would hide it.
_NEWEST = newest("bkp_repository_newest_archive_timestamp_seconds", f"{SERVER}, repository")
_REPOSITORIES = newest("bkp_job_info", f"{SERVER}, target", "job_name='nightly'")
OLDEST = (
    f"min by ({SERVER}) ({milliseconds(_NEWEST)})"
    f" and count by ({SERVER}) ({_NEWEST}) == on ({SERVER}) count by ({SERVER}) ({_REPOSITORIES})"
)


def _of(metric: str) -> str:
    return f"sum by ({SERVER}) (max by ({SERVER}, job_name, target, status, pool, disk, state) ({metric}))"


GLANCE = line(
    4,
    stat(
        "Expected",
        f"count({ANSWERS})",
        PLAIN_COUNT,
        "Servers that Prometheus is told to ask, and those that answered within the last 30 days.",
        missing="none",
    ),
    stat("Answer", f"sum({ANSWERS})", PLAIN_COUNT, "Servers that answer now: all that is counted here is of these."),
    stat(
        "Do not answer",
        f"count({ANSWERS}) - sum({ANSWERS})",
        NONE_WANTED,
        "Servers that are expected and do not answer now, or are scraped no more. Nothing new is known of them.",
    ),
    stat(
        "Tell only part",
        f"sum(1 - {PARTS_WORK})",
        NONE_WANTED,
        "Servers that answer, and a part of whose exporter fails: what it would tell is missing.",
    ),
    bad(
        "Critical",
        "sum(bkp_concerns{severity='critical'})",
        NONE_WANTED,
        "Concerns that want somebody now, of the servers that answer.",
        SERVERS_OF_IT,
    ),
    bad(
        "Warnings",
        "sum(bkp_concerns{severity='warning'})",
        NONE_BETTER,
        "Concerns that want somebody soon, of the servers that answer.",
        SERVERS_OF_IT,
    ),
    bad(
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
    "One row for each server that is expected. Of one that does not answer, nothing else is known.",
    (SERVER_KEY, Key("version", "bkp", Look(TEXT))),
    Column("", f"max by ({SERVER}, version) (bkp_exporter_build_info)"),
    Column("Answers", ANSWERS, YES_WANTED),
    Column("Its parts", PARTS_WORK, PARTS),
    Column("Worst", WORST, SEVERITY, (TO_SERVER,)),
    Column("Oldest of the newest archives", OLDEST, WHEN),
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
                    (f"count({ANSWERS}) - sum({ANSWERS})", "limit: servers that do not answer"),
                ),
                graph(
                    "Servers that answer",
                    PLAIN_COUNT,
                    "How many of the servers that are expected answer.",
                    (f"sum({ANSWERS})", "answer"),
                    (f"count({ANSWERS})", "limit: expected"),
                ),
            ),
        ),
    ),
)
