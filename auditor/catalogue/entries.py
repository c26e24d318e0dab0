"""The facts themselves. `docs/facts.md` is generated from this list; `auditor.facts` collects the values."""

from __future__ import annotations

from auditor.catalogue.model import FactSpec, FactType, Namespace
from bkp.jobs import DRILL, JOBS, NIGHTLY
from bkp.severity import SEVERITIES

_OUTCOMES = ("running", "success", "warning", "failure", "interrupted", "skipped", "deferred")
_STATUSES = ("ok", "late", "failed", "never", "running", "unknown")
_LOADED = ("available", "unavailable", "none")
_SENT = ("sent", "failed")
_KINDS = ("regular file", "folder", "symbolic link", "other")


_Field = tuple[str, FactType, str] | tuple[str, FactType, str, dict[str, object]]


def _space(name: str, doc: str, source: str, *fields: _Field, instance: str | None = None) -> Namespace:
    prefix = f"{name}.*" if instance else name
    specs = {}
    for field, kind, text, *more in fields:
        specs[field] = FactSpec(f"{prefix}.{field}", kind, text, **(more[0] if more else {}))  # type: ignore[arg-type]
    return Namespace(name, doc, source, specs, instance)


T = FactType

_PERMISSIONS: tuple[_Field, ...] = (
    ("exists", T.BOOLEAN, "whether there is anything at its path"),
    ("kind", T.TEXT, "what it is, a symbolic link not followed", {"values": _KINDS}),
    ("mode", T.MODE, "permission bits"),
    ("uid", T.INTEGER, "numeric owner"),
    ("gid", T.INTEGER, "numeric group"),
    ("owner_trusted", T.BOOLEAN, "whether the owner is root or the account that runs the audit"),
    ("acl", T.BOOLEAN, "whether a POSIX access control list lies over the mode, or is given to what is made in it"),
    ("weak_hops", T.TEXT_LIST, "folders and links on the way to it through which somebody else could replace it"),
    ("path", T.TEXT, "its absolute path", {"private": True}),
)

_FILE_ROLES = (
    "passphrase",
    "key export",
    "keyfile",
    "configuration",
    "mail configuration",
    "program",
    "attestations",
    "waivers",
    "history",
)
_FOLDER_ROLES = ("repository", "state", "log", "lock", "borg base", "rules", "program")

_ORIGINS: dict[str, object] = {"values": ("local", "inherited", "received", "default", "temporary", "none")}

_PROPERTIES: tuple[_Field, ...] = (
    ("compression", T.TEXT, "compression of new blocks"),
    ("compression_source", T.TEXT, "where that value comes from", _ORIGINS),
    ("atime", T.TEXT, "whether reading a file writes its access time", {"values": ("on", "off")}),
    ("atime_source", T.TEXT, "where that value comes from; temporary: a mount option", _ORIGINS),
    ("recordsize", T.INTEGER, "largest block of files written from now on", {"unit": "bytes"}),
    ("recordsize_source", T.TEXT, "where that value comes from", _ORIGINS),
)

NAMESPACES: tuple[Namespace, ...] = (
    _space(
        "host",
        "The audited machine and the account that runs the audit.",
        "uname(2), os-release(5), /etc/localtime",
        ("name", T.TEXT, "host name, or `host` of the configuration"),
        ("os", T.TEXT, "PRETTY_NAME of os-release(5)"),
        ("kernel", T.TEXT, "kernel release"),
        ("timezone", T.TEXT, "the time zone in which schedules elapse and waivers end"),
        ("uid", T.INTEGER, "effective user id of the audit: 0 on a server"),
        ("gid", T.INTEGER, "effective group id of the audit: 0 on a server"),
        ("systemd", T.BOOLEAN, "whether systemd manages it"),
    ),
    _space(
        "config",
        "What the configuration says.",
        "the configuration file",
        ("repositories", T.TEXT_LIST, "names of the configured repositories"),
        ("local_repositories", T.TEXT_LIST, "those of them that are folders of this machine"),
        ("sources", T.TEXT_LIST, "names of the configured sources"),
        ("scheduled_jobs", T.TEXT_LIST, "jobs that have a schedule"),
        ("unscheduled_jobs", T.TEXT_LIST, "jobs whose schedule the configuration takes away: they run by hand only"),
        ("escrow_locations", T.TEXT_LIST, "places outside this server that hold keys"),
        ("escrow_key_locations", T.TEXT_LIST, "those of them that hold the Borg key"),
        ("fail_on", T.TEXT, "severity from which a failure ends the audit with 1", {"values": SEVERITIES}),
        ("minimum_applicable", T.NUMBER, "share of rules that must apply", {"unit": "0 to 1"}),
        ("rules_folder", T.BOOLEAN, "whether it names a folder of rules in place of the shipped ones"),
        ("waiver_file", T.BOOLEAN, "whether it names a waiver file"),
    ),
    _space(
        "file",
        "Files whose permissions matter.",
        "lstat(2) of the file and of every folder above it",
        ("role", T.TEXT, "what the file is for", {"values": _FILE_ROLES}),
        *_PERMISSIONS,
        ("links", T.INTEGER, "names it has: hard links, itself among them", {"unit": "names"}),
        instance="a file, named by the repository and its role",
    ),
    _space(
        "dir",
        "Folders whose permissions matter.",
        "lstat(2) of the folder and of every folder above it",
        ("role", T.TEXT, "what the folder is for", {"values": _FOLDER_ROLES}),
        *_PERMISSIONS,
        ("weak_inside", T.TEXT_LIST, "what somebody else could change below it, by reason and count"),
        instance="a folder, named by the repository or its role",
    ),
    _space(
        "borg.repo",
        "Each Borg repository, as borg describes it now.",
        "borg info, borg key export",
        ("name", T.TEXT, "its name in the configuration"),
        ("id", T.TEXT, "repository id (64 hexadecimal digits)"),
        ("encryption", T.TEXT, "encryption mode that borg reports; the set of modes is open"),
        ("configured_encryption", T.TEXT, "encryption mode that the configuration asks for"),
        ("opens", T.BOOLEAN, "whether the configured passphrase opens it"),
        ("empty_passphrase_refused", T.BOOLEAN, "whether an attempt with an empty passphrase was refused"),
        (
            "passphrase_strength",
            T.INTEGER,
            "guesses that would find the configured passphrase, estimated, as a power of ten, at most 20",
            {"unit": "digits"},
        ),
        ("key_fingerprint", T.FINGERPRINT, "SHA-256 of the decoded key blob; 12 digits of it are the paper key's id"),
        ("key_export_fingerprint", T.FINGERPRINT, "the same of the configured key export file"),
        ("key_export_repository_id", T.TEXT, "repository id in the header of the key export file"),
        ("key_export_usable", T.BOOLEAN, "whether `borg key import` takes the key export file as it is"),
        ("archives", T.INTEGER, "complete archives in it", {"unit": "archives"}),
        ("newest_archive_at", T.TIME, "start of its newest archive"),
        instance="a configured repository",
    ),
    _space(
        "retention",
        "How many points in time each repository keeps.",
        "the configuration, borg list",
        ("keep_daily", T.INTEGER, "daily archives that prune keeps", {"unit": "archives"}),
        ("keep_weekly", T.INTEGER, "weekly archives that prune keeps", {"unit": "archives"}),
        ("keep_monthly", T.INTEGER, "monthly archives that prune keeps", {"unit": "archives"}),
        ("keep_yearly", T.INTEGER, "yearly archives that prune keeps", {"unit": "archives"}),
        ("archives", T.INTEGER, "archives in the repository that retention counts", {"unit": "archives"}),
        (
            "nights_missing",
            T.TEXT_LIST,
            "scheduled backups of the last `keep_daily` days, from the oldest archive on, that have no archive",
        ),
        instance="a configured repository",
    ),
    _space(
        "archive",
        "The newest good archive of each repository, as its run recorded it.",
        f"state: jobs/{NIGHTLY.name}/TARGET/success.json, history.jsonl, borg list",
        ("id", T.TEXT, "archive id"),
        ("started_at", T.TIME, "when it was begun"),
        ("confirmed", T.BOOLEAN, "whether the run found it in the repository before pruning"),
        ("in_repository", T.BOOLEAN, "whether borg lists it now"),
        ("files", T.INTEGER, "files in it", {"unit": "files"}),
        ("original_bytes", T.INTEGER, "size before compression and deduplication", {"unit": "bytes"}),
        ("missing_sources", T.TEXT_LIST, "configured sources that are not in it"),
        ("earlier_archives", T.INTEGER, "usual archives the median is taken over, at most 30", {"unit": "archives"}),
        ("size_ratio", T.NUMBER, "its original size over the median of the usual ones", {"unit": "1 = the same"}),
        instance="a configured repository",
    ),
    _space(
        "job",
        "Each job of bkp-run on each of its targets.",
        "state: jobs/JOB/TARGET/*.json, judged by bkp.status",
        ("job", T.TEXT, "name of the job", {"values": tuple(JOBS)}),
        ("target", T.TEXT, "what it works on"),
        ("scheduled", T.BOOLEAN, "whether the configuration gives it a schedule"),
        ("status", T.TEXT, "what it is, seen when the facts were collected", {"values": _STATUSES}),
        ("explanation", T.TEXT, "the sentence that explains the status"),
        ("last_outcome", T.TEXT, "how the last attempt ended", {"values": _OUTCOMES}),
        ("last_attempt_at", T.TIME, "start of the last attempt"),
        ("last_success_at", T.TIME, "end of the last attempt that ended well"),
        ("deadline", T.TIME, "when it counts as late"),
        instance="a job on a target, JOB.TARGET",
    ),
    _space(
        "schedule",
        "When each job of bkp-run is due, and whether systemd will start it.",
        "the configuration, systemctl show",
        ("job", T.TEXT, "name of the job", {"values": tuple(JOBS)}),
        ("scheduled", T.BOOLEAN, "whether the configuration gives it a schedule"),
        ("longest_pause", T.NUMBER, "most time between two elapses within the next year", {"unit": "days"}),
        ("timer_enabled", T.BOOLEAN, "whether its timer starts with the system"),
        ("timer_active", T.BOOLEAN, "whether its timer is armed now"),
        ("timer_as_configured", T.BOOLEAN, "whether the timer elapses when the configuration says"),
        instance="a job, by its name",
    ),
    _space(
        "restore",
        "The restore drill of each repository: a recorded sample restored and compared.",
        f"state: jobs/{DRILL.name}/TARGET/success.json",
        ("last_success_at", T.TIME, "end of the last drill that ended well"),
        ("files", T.INTEGER, "files of the sample", {"unit": "files"}),
        ("matched", T.INTEGER, "files restored with the recorded SHA-256", {"unit": "files"}),
        ("mismatched", T.INTEGER, "files restored with another content", {"unit": "files"}),
        ("missing", T.INTEGER, "files that the archive did not give back", {"unit": "files"}),
        ("seconds", T.DURATION, "how long the restore took", {"unit": "seconds"}),
        instance="a configured repository",
    ),
    _space(
        "zfs",
        "What of the backup lies on ZFS.",
        "the configuration, mountinfo (proc(5)), zfs list",
        ("installed", T.BOOLEAN, "whether the program zfs is there"),
        ("source_datasets", T.TEXT_LIST, "datasets that sources are, or lie on"),
        ("repository_datasets", T.TEXT_LIST, "datasets in which a repository of this machine lies"),
    ),
    _space(
        "zfs.dataset",
        "Each ZFS file system of the backup: every source with what is below it, and what holds a repository.",
        "zfs get",
        ("name", T.TEXT, "its name"),
        ("pool", T.TEXT, "the pool it is in"),
        ("sources", T.TEXT_LIST, "names of the configured sources that read it"),
        ("repositories", T.TEXT_LIST, "names of the repositories that lie on it"),
        ("mounted", T.BOOLEAN, "whether it is mounted"),
        ("encryption", T.TEXT, "cipher, or `off`; the set of ciphers is open"),
        ("encryption_root", T.TEXT, "the dataset whose key unlocks it"),
        (
            "open_parents",
            T.TEXT_LIST,
            "datasets between it and its pool that are not encrypted: what is made anew in its place would be open",
        ),
        ("key_status", T.TEXT, "whether its key is loaded; `none` where it is not encrypted", {"values": _LOADED}),
        ("key_location", T.TEXT, "kind of place its encryption root's key is loaded from: prompt, file, https, none"),
        *_PROPERTIES,
        instance="a dataset, by its name",
    ),
    _space(
        "zfs.pool",
        "Each pool that holds one of these datasets.",
        "zpool list, zpool status",
        ("name", T.TEXT, "its name"),
        ("health", T.TEXT, "ONLINE, DEGRADED, FAULTED, SUSPENDED and others; the set is open"),
        ("readonly", T.BOOLEAN, "whether it was imported read-only"),
        ("size_bytes", T.INTEGER, "size of all its devices, parity included", {"unit": "bytes"}),
        ("free_bytes", T.INTEGER, "what of that is not allocated", {"unit": "bytes"}),
        ("capacity", T.INTEGER, "share that is allocated", {"unit": "percent"}),
        ("read_errors", T.INTEGER, "most read errors of one of its devices since `zpool clear`", {"unit": "errors"}),
        ("write_errors", T.INTEGER, "the same of write errors", {"unit": "errors"}),
        ("checksum_errors", T.INTEGER, "the same of checksum errors", {"unit": "errors"}),
        ("data_errors", T.INTEGER, "errors that ZFS could not repair", {"unit": "errors"}),
        instance="a pool, by its name",
    ),
    _space(
        "mail",
        "Whether a failure can reach a person.",
        "the configuration, the mail program's file, the records of runs",
        ("when", T.TEXT, "when runs send mail", {"values": ("problems", "always", "never")}),
        ("program_runnable", T.BOOLEAN, "whether the mail program is there and may be executed"),
        ("configuration_found", T.BOOLEAN, "whether the mail program has a configuration file"),
        ("last_result", T.TEXT, "what became of the newest mail that a run wanted to send", {"values": _SENT}),
        ("last_result_at", T.TIME, "end of that run"),
    ),
    _space(
        "location",
        "Each place outside this server that is to hold what opens the backup.",
        "the configuration, audit.escrow",
        ("description", T.TEXT, "what and where it is, for people"),
        ("holds", T.TEXT_LIST, "what it holds: key, passphrase, zfs-key, runbook"),
        ("valid_for", T.DURATION, "how long an attestation of it holds", {"unit": "seconds"}),
        instance="a configured place, by its name",
    ),
    _space(
        "escrow",
        "What each place outside this server must hold.",
        "the configuration, borg key export",
        ("location", T.TEXT, "name of the place"),
        ("repository", T.TEXT, "name of the repository whose key it holds"),
        ("holds", T.TEXT_LIST, "what it holds: key, passphrase, zfs-key, runbook"),
        ("holds_key", T.BOOLEAN, "whether it is to hold the repository's key"),
        ("holds_passphrase", T.BOOLEAN, "whether it is to hold the repository's passphrase"),
        ("repository_id", T.TEXT, "repository id now"),
        ("key_fingerprint", T.FINGERPRINT, "fingerprint of the repository's key now"),
        instance="a place and a repository, LOCATION.REPOSITORY",
    ),
    _space(
        "attestation",
        "The record of what people attested.",
        "the attestation file, append-only and chained",
        ("records", T.INTEGER, "attestations on record", {"unit": "records"}),
        ("intact", T.BOOLEAN, "whether every line is there, readable and chained to the one before"),
        ("problem", T.TEXT, "the first thing that is wrong with it"),
    ),
    _space(
        "history",
        "The append-only history of runs.",
        "state: history.jsonl, compared with jobs/*/*/*.json",
        ("lines", T.INTEGER, "lines that hold", {"unit": "lines"}),
        ("intact", T.BOOLEAN, "whether each line follows the one before, and the newest recorded run is in it"),
        ("problem", T.TEXT, "the first thing that is wrong with it"),
    ),
    _space(
        "audit",
        "The audit itself; known when it judges, never saved.",
        "the rules and waivers of this run",
        ("rules", T.INTEGER, "rules that were judged", {"unit": "rules"}),
        ("waivers", T.INTEGER, "waivers in the waiver file", {"unit": "waivers"}),
        ("expired_waivers", T.TEXT_LIST, "rules whose waiver has expired"),
        ("waivers_ending_soon", T.TEXT_LIST, "rules whose waiver ends within 14 days"),
    ),
)
