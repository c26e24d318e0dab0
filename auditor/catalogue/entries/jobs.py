"""Facts of what bkp-run does, when, and what the drills came to."""

from __future__ import annotations

from auditor.catalogue.entries.form import T, space
from bkp.jobs import DRILL, JOBS

_OUTCOMES = ("running", "success", "warning", "failure", "interrupted", "skipped", "deferred")
_STATUSES = ("ok", "late", "failed", "never", "running", "unknown")

ENTRIES = (
    space(
        "job",
        "Each job of bkp-run on each of its targets.",
        "state: jobs/JOB/TARGET/*.json, judged by bkp.status",
        ("job", T.TEXT, "name of the job", {"values": tuple(JOBS)}),
        ("target", T.TEXT, "what it works on"),
        ("scheduled", T.BOOLEAN, "whether the configuration gives it a schedule"),
        ("status", T.TEXT, "what it is, seen when the facts were collected", {"values": _STATUSES, "said": "status"}),
        ("explanation", T.TEXT, "the sentence that explains the status"),
        ("last_outcome", T.TEXT, "how the last attempt ended", {"values": _OUTCOMES}),
        ("last_attempt_at", T.TIME, "start of the last attempt"),
        ("last_success_at", T.TIME, "end of the last attempt that ended well", {"said": "last success"}),
        ("deadline", T.TIME, "when it counts as late"),
        ("paused", T.BOOLEAN, "whether it is paused: its timer does not run it"),
        ("pause", T.TEXT, "who paused it, until when, and why"),
        instance="a job on a target, JOB.TARGET",
    ),
    space(
        "schedule",
        "When each job of bkp-run is due, and whether systemd will start it.",
        "the configuration, systemctl show",
        ("job", T.TEXT, "name of the job", {"values": tuple(JOBS)}),
        ("scheduled", T.BOOLEAN, "whether the configuration gives it a schedule"),
        (
            "longest_pause",
            T.NUMBER,
            "most time between two elapses within the next year",
            {"unit": "days", "said": "longest time between two starts"},
        ),
        (
            "timer_enabled",
            T.BOOLEAN,
            "whether its timer starts with the system",
            {"said": "timer starts with the system"},
        ),
        ("timer_active", T.BOOLEAN, "whether its timer is armed now", {"said": "timer is armed"}),
        (
            "timer_as_configured",
            T.BOOLEAN,
            "whether the timer elapses when the configuration says",
            {"said": "timer is as configured"},
        ),
        (
            "timer_starts",
            T.BOOLEAN,
            "whether the timer starts the job's own service, and that is there and not masked",
            {"said": "timer starts the job's service"},
        ),
        instance="a job, by its name",
    ),
    space(
        "replication",
        "Each replication: what is pulled from where, how far it is behind, and what its live server refuses.",
        "the configuration, the history, zfs list, zfs allow",
        ("source", T.TEXT, "the dataset on the live server, USER@HOST:DATASET"),
        ("target", T.TEXT, "the dataset here"),
        ("raw", T.BOOLEAN, "whether encrypted datasets are sent as they are"),
        (
            "source_is_here",
            T.BOOLEAN,
            "whether the live server is this server, as far as names tell",
            {"said": "live server is this server"},
        ),
        (
            "encryption",
            T.TEXT,
            "cipher of the replica, or `off` where a dataset of it has none; the set of ciphers is open",
            {"said": "encryption"},
        ),
        (
            "rights",
            T.TEXT_LIST,
            "what others than root may do with the replica by zfs-allow(8), reading it aside: who, on which dataset",
            {"said": "rights of others than root"},
        ),
        (
            "newest_common_at",
            T.TIME,
            "when the newest snapshot was made that both servers have; of the dataset that has the oldest one",
            {"said": "newest common snapshot"},
        ),
        (
            "lacking",
            T.TEXT_LIST,
            "datasets that have no snapshot in common with the live server's",
            {"said": "datasets that were never received"},
        ),
        (
            "gate",
            T.TEXT,
            "what the live server did with a forbidden command when that was tried last",
            {"values": ("refused", "ran"), "said": "forbidden commands"},
        ),
        ("gate_tested_at", T.TIME, "when that was tried last", {"said": "last try of a forbidden command"}),
        instance="a replication, by its name",
    ),
    space(
        "restore",
        "The restore drill of each repository: a recorded sample restored and compared.",
        f"state: jobs/{DRILL.name}/TARGET/success.json",
        ("last_success_at", T.TIME, "end of the last drill that ended well", {"said": "last success"}),
        ("files", T.INTEGER, "files of the sample", {"unit": "files", "said": "files of the sample"}),
        (
            "matched",
            T.INTEGER,
            "files restored with the recorded SHA-256",
            {"unit": "files", "said": "files restored as recorded"},
        ),
        (
            "mismatched",
            T.INTEGER,
            "files restored with another content",
            {"unit": "files", "said": "files restored with another content"},
        ),
        (
            "missing",
            T.INTEGER,
            "files that the archive did not give back",
            {"unit": "files", "said": "files that the archive did not give back"},
        ),
        ("seconds", T.DURATION, "how long the restore took", {"unit": "seconds"}),
        instance="a configured repository",
    ),
)
