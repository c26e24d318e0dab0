"""Facts of the machine and of its configuration."""

from __future__ import annotations

from auditor.catalogue.entries.form import T, space
from bkp.severity import SEVERITIES

ENTRIES = (
    space(
        "host",
        "The audited machine and the account that runs the audit.",
        "uname(2), os-release(5), /etc/localtime, state: observed/host.json",
        ("name", T.TEXT, "host name, or `host` of the configuration"),
        ("os", T.TEXT, "PRETTY_NAME of os-release(5)"),
        ("kernel", T.TEXT, "kernel release"),
        ("timezone", T.TEXT, "the time zone in which schedules elapse and waivers end"),
        ("uid", T.INTEGER, "effective user id of the audit: 0 on a server", {"said": "user that runs the audit"}),
        ("gid", T.INTEGER, "effective group id of the audit: 0 on a server", {"said": "group that runs the audit"}),
        ("systemd", T.BOOLEAN, "whether systemd manages it", {"said": "managed by systemd"}),
        (
            "undervoltage",
            T.BOOLEAN,
            "whether its power supply was too weak at some time since it started",
            {"said": "power supply too weak"},
        ),
        (
            "usb_resets",
            T.INTEGER,
            "resets of USB devices since it started",
            {"unit": "resets", "said": "resets of USB devices"},
        ),
        ("newest_kernel", T.TEXT, "newest installed kernel of the running one's flavour"),
        (
            "newest_kernel_has_zfs",
            T.BOOLEAN,
            "whether that one has a ZFS module",
            {"said": "newest kernel has a ZFS module"},
        ),
    ),
    space(
        "config",
        "What the configuration says.",
        "the configuration file",
        ("repositories", T.TEXT_LIST, "names of the configured repositories"),
        ("local_repositories", T.TEXT_LIST, "those of them that are folders of this machine"),
        ("sources", T.TEXT_LIST, "names of the configured sources"),
        ("pools", T.TEXT_LIST, "ZFS's names of the configured pools"),
        ("replications", T.TEXT_LIST, "names of the configured replications"),
        ("disks", T.TEXT_LIST, "names of the configured disks"),
        ("heartbeats", T.TEXT_LIST, "what pings a service outside: watch, and names of jobs"),
        ("scheduled_jobs", T.TEXT_LIST, "jobs that have something to work on and a schedule"),
        (
            "unscheduled_jobs",
            T.TEXT_LIST,
            "those whose schedule the configuration takes away: they run by hand only",
            {"said": "jobs without a schedule"},
        ),
        (
            "escrow_locations",
            T.TEXT_LIST,
            "places outside this server that hold keys",
            {"said": "places outside this server"},
        ),
        (
            "escrow_key_locations",
            T.TEXT_LIST,
            "those of them that hold the Borg key",
            {"said": "places outside this server that hold the key"},
        ),
        ("fail_on", T.TEXT, "severity from which a failure ends the audit with 1", {"values": SEVERITIES}),
        ("minimum_applicable", T.NUMBER, "share of rules that must apply", {"unit": "0 to 1"}),
        ("rules_folder", T.BOOLEAN, "whether it names a folder of rules in place of the shipped ones"),
        ("waiver_file", T.BOOLEAN, "whether it names a waiver file"),
    ),
)
