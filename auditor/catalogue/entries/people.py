"""Facts of mail, of escrow and of what people attested."""

from __future__ import annotations

from auditor.catalogue.entries.form import T, space

_SENT = ("sent", "kept", "failed")

ENTRIES = (
    space(
        "mail",
        "Whether a failure can reach a person.",
        "the configuration, the mail program's file, the records of runs",
        (
            "when",
            T.TEXT,
            "when runs send mail",
            {"values": ("problems", "always", "never"), "said": "when mail is sent"},
        ),
        (
            "program_runnable",
            T.BOOLEAN,
            "whether the mail program is there and may be executed",
            {"said": "mail program can be started"},
        ),
        (
            "configuration_found",
            T.BOOLEAN,
            "whether the mail program has a configuration file",
            {"said": "mail program has a configuration"},
        ),
        ("to", T.TEXT, "whom mails go to", {"said": "recipient"}),
        ("waiting", T.INTEGER, "mails that wait to be sent", {"unit": "mails", "said": "mails that wait"}),
        (
            "oldest_waiting_at",
            T.TIME,
            "when the oldest mail that waits was written",
            {"said": "oldest mail that waits"},
        ),
        (
            "given_up",
            T.INTEGER,
            "mails that were given up, and of which nobody was told",
            {"unit": "mails", "said": "mails given up"},
        ),
        (
            "confirmed_at",
            T.TIME,
            "when a person last confirmed a test mail to the configured address",
            {"said": "last confirmed test mail"},
        ),
        ("watched_at", T.TIME, "when the watch last looked", {"said": "last look of the watch"}),
        (
            "pinged_at",
            T.TIME,
            "when a service outside last took the heartbeat of the watch",
            {"said": "last heartbeat that a service outside took"},
        ),
        (
            "last_result",
            T.TEXT,
            "what became of the newest mail; kept: it waits in the outbox",
            {"values": _SENT, "said": "newest mail"},
        ),
        ("last_result_at", T.TIME, "when that was known"),
    ),
    space(
        "location",
        "Each place outside this server that is to hold what opens the backup.",
        "the configuration, audit.escrow",
        ("name", T.TEXT, "its name"),
        ("description", T.TEXT, "what and where it is, for people"),
        ("holds", T.TEXT_LIST, "what it holds: key, passphrase, zfs-key, runbook"),
        ("valid_for", T.DURATION, "how long an attestation of it holds", {"unit": "seconds"}),
        instance="a configured place, by its name",
    ),
    space(
        "escrow",
        "What each place outside this server must hold.",
        "the configuration, borg key export",
        ("location", T.TEXT, "name of the place"),
        ("repository", T.TEXT, "name of the repository whose key it holds"),
        ("holds", T.TEXT_LIST, "what it holds: key, passphrase, zfs-key, runbook"),
        ("medium", T.TEXT, "what kind of place it is", {"values": ("online", "container", "offline", "other")}),
        ("holds_key", T.BOOLEAN, "whether it is to hold the repository's key", {"said": "is to hold the key"}),
        (
            "holds_passphrase",
            T.BOOLEAN,
            "whether it is to hold the repository's passphrase",
            {"said": "is to hold the passphrase"},
        ),
        ("repository_id", T.TEXT, "repository id now"),
        ("key_fingerprint", T.FINGERPRINT, "fingerprint of the repository's key now"),
        ("key_replaced", T.BOOLEAN, "whether runs found another key in the repository before this one"),
        instance="a place and a repository, LOCATION.REPOSITORY",
    ),
    space(
        "report",
        "The audit's reports that are kept.",
        "state: audit/*.json",
        ("newest_at", T.TIME, "when the newest of them was made", {"said": "newest kept report"}),
        ("newest_digest", T.FINGERPRINT, "SHA-256 of its file", {"said": "digest of the newest kept report"}),
    ),
    space(
        "attestation",
        "The record of what people attested.",
        "the attestation file, append-only and chained",
        ("records", T.INTEGER, "attestations on record", {"unit": "records"}),
        (
            "intact",
            T.BOOLEAN,
            "whether every line is there, readable and chained to the one before",
            {"said": "whole and unbroken"},
        ),
        ("problem", T.TEXT, "the first thing that is wrong with it"),
    ),
)
