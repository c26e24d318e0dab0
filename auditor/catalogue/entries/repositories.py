"""Facts of Borg repositories and their archives."""

from __future__ import annotations

from auditor.catalogue.entries.form import T, space
from bkp.jobs import NIGHTLY

ENTRIES = (
    space(
        "borg.repo",
        "Each Borg repository, as borg describes it now.",
        "borg info, borg key export",
        ("name", T.TEXT, "its name in the configuration"),
        ("id", T.TEXT, "repository id (64 hexadecimal digits)"),
        ("encryption", T.TEXT, "encryption mode that borg reports; the set of modes is open"),
        (
            "configured_encryption",
            T.TEXT,
            "encryption mode that the configuration asks for",
            {"said": "encryption that is asked for"},
        ),
        (
            "opens",
            T.BOOLEAN,
            "whether the configured passphrase opens it",
            {"said": "opens with the configured passphrase"},
        ),
        (
            "empty_passphrase_refused",
            T.BOOLEAN,
            "whether an attempt with an empty passphrase was refused",
            {"said": "refuses an empty passphrase"},
        ),
        (
            "passphrase_strength",
            T.INTEGER,
            "guesses that would find the configured passphrase, estimated, as a power of ten, at most 20",
            {"unit": "digits", "said": "strength of the passphrase"},
        ),
        ("key_replaced", T.BOOLEAN, "whether runs found another key in it before the one in use"),
        (
            "key_fingerprint",
            T.FINGERPRINT,
            "SHA-256 of the decoded key blob; 12 digits of it are the paper key's id",
            {"said": "fingerprint of the key"},
        ),
        (
            "key_export_fingerprint",
            T.FINGERPRINT,
            "the same of the configured key export file",
            {"said": "fingerprint of the key export"},
        ),
        (
            "key_export_repository_id",
            T.TEXT,
            "repository id in the header of the key export file",
            {"said": "repository that the key export is of"},
        ),
        (
            "key_export_usable",
            T.BOOLEAN,
            "whether `borg key import` takes the key export file as it is",
            {"said": "key export can be imported"},
        ),
        ("archives", T.INTEGER, "complete archives in it", {"unit": "archives"}),
        (
            "newest_archive_at",
            T.TIME,
            "start of its newest archive that counts and is not dated in the future",
            {"said": "newest archive"},
        ),
        instance="a configured repository",
    ),
    space(
        "retention",
        "How many points in time each repository keeps.",
        "the configuration, borg list",
        (
            "keep_daily",
            T.INTEGER,
            "daily archives that prune keeps",
            {"unit": "archives", "said": "days that are kept"},
        ),
        (
            "keep_weekly",
            T.INTEGER,
            "weekly archives that prune keeps",
            {"unit": "archives", "said": "weeks that are kept"},
        ),
        (
            "keep_monthly",
            T.INTEGER,
            "monthly archives that prune keeps",
            {"unit": "archives", "said": "months that are kept"},
        ),
        (
            "keep_yearly",
            T.INTEGER,
            "yearly archives that prune keeps",
            {"unit": "archives", "said": "years that are kept"},
        ),
        ("archives", T.INTEGER, "archives in the repository that retention counts", {"unit": "archives"}),
        (
            "nights_missing",
            T.TEXT_LIST,
            "scheduled backups of the last `keep_daily` days, from the oldest archive on, that have no archive",
            {"said": "backups without an archive"},
        ),
        (
            "days",
            T.INTEGER,
            "different days, of the 10 before the newest archive, of which there is one that counts",
            {"unit": "days", "said": "days of the last ten with an archive"},
        ),
        (
            "weeks",
            T.INTEGER,
            "different weeks (from Monday), of the 42 days before the newest archive, of which there is one",
            {"unit": "weeks", "said": "weeks of the last six with an archive"},
        ),
        (
            "months",
            T.INTEGER,
            "different months of which there is an archive",
            {"unit": "months", "said": "months with an archive"},
        ),
        ("begun_at", T.TIME, "start of the oldest archive that is there or that the history tells of"),
        (
            "gone",
            T.TEXT_LIST,
            "archives that were recorded, are listed no more, and were given up by no prune of ours",
            {"said": "archives that are gone"},
        ),
        instance="a configured repository",
    ),
    space(
        "archive",
        "The newest good archive of each repository, as its run recorded it.",
        f"state: jobs/{NIGHTLY.name}/TARGET/success.json, history.jsonl, borg list",
        ("id", T.TEXT, "archive id"),
        ("started_at", T.TIME, "when it was begun"),
        (
            "confirmed",
            T.BOOLEAN,
            "whether the run found it in the repository before pruning",
            {"said": "confirmed by its run"},
        ),
        ("in_repository", T.BOOLEAN, "whether borg lists it now", {"said": "listed by borg"}),
        ("files", T.INTEGER, "files in it", {"unit": "files"}),
        ("original_bytes", T.INTEGER, "size before compression and deduplication", {"unit": "bytes"}),
        ("missing_sources", T.TEXT_LIST, "configured sources that are not in it", {"said": "sources that it lacks"}),
        ("earlier_archives", T.INTEGER, "usual archives the median is taken over, at most 30", {"unit": "archives"}),
        (
            "size_ratio",
            T.NUMBER,
            "its original size over the median of the usual ones",
            {"unit": "1 = the same", "said": "size, compared with the usual"},
        ),
        instance="a configured repository",
    ),
)
