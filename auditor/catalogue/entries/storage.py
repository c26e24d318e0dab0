"""Facts of pools, disks and datasets as `bkp-run probe` saw them. What its last look did not see is an error."""

from __future__ import annotations

from auditor.catalogue.entries.form import T, space

_SCANS = ("never", "in progress", "paused", "finished", "canceled")
_DAYS = {"unit": "days"}
_SECTORS = {"unit": "sectors"}
_SHARE = {"unit": "0 to 1"}
_CELSIUS = {"unit": "degrees Celsius"}

ENTRIES = (
    space(
        "probe",
        "What `bkp-run probe` found and nobody configured.",
        "state: observed/pools.json, observed/disks.json",
        ("looked", T.BOOLEAN, "whether it ever looked for disks", {"said": "looked for disks"}),
        (
            "found_pools",
            T.TEXT_LIST,
            "imported pools that the configuration does not name",
            {"said": "pools that nobody configured"},
        ),
        (
            "found_disks",
            T.TEXT_LIST,
            "disks that the configuration does not name",
            {"said": "disks that nobody configured"},
        ),
        (
            "testable_disks",
            T.TEXT_LIST,
            "configured disks but for those that are known to have no self-tests which smartctl shows",
            {"said": "disks that have self-tests"},
        ),
    ),
    space(
        "pool",
        "Each pool that is configured, that the probe found, or on which something of the backup lies.",
        "the configuration, state: observed/pools.json, observed/host.json",
        ("name", T.TEXT, "ZFS's name of it"),
        ("configured", T.BOOLEAN, "whether the configuration names it, so that it is watched", {"said": "watched"}),
        ("uses", T.TEXT_LIST, "what of the backup lies on it: `source NAME`, `repository NAME`"),
        ("present", T.BOOLEAN, "whether it is imported", {"said": "there"}),
        ("state", T.TEXT, "ONLINE, DEGRADED, FAULTED, SUSPENDED and others; the set is open"),
        ("suspended", T.BOOLEAN, "whether it is suspended, whatever its state says"),
        (
            "troubled_devices",
            T.TEXT_LIST,
            "devices that are not in order or count errors, of any depth",
            {"said": "devices in trouble"},
        ),
        (
            "damaged_files",
            T.BOOLEAN,
            "whether ZFS knows of data that it could not repair",
            {"said": "data that ZFS could not repair"},
        ),
        (
            "unwatched_devices",
            T.TEXT_LIST,
            "devices that lie on no configured disk, as far as is known",
            {"said": "devices on no watched disk"},
        ),
        ("capacity", T.NUMBER, "share that is allocated", {**_SHARE, "said": "share in use"}),
        (
            "scrub_state",
            T.TEXT,
            "how the last scrub stands; a resilver is none",
            {"values": _SCANS, "said": "last scrub"},
        ),
        ("scrub_ended_at", T.TIME, "when the last scrub went through to its end", {"said": "last whole scrub"}),
        ("scrub_days", T.NUMBER, "how long ago that was", {**_DAYS, "said": "days since the last whole scrub"}),
        (
            "scrub_limit",
            T.NUMBER,
            "how long ago it may be by the configuration, `scrub_age`",
            {**_DAYS, "said": "days that the configuration allows"},
        ),
        (
            "scrub_errors",
            T.INTEGER,
            "errors that it could not repair",
            {"unit": "errors", "said": "errors that the scrub could not repair"},
        ),
        ("scrub_repaired_bytes", T.INTEGER, "what it repaired", {"unit": "bytes"}),
        (
            "scrub_contradictions",
            T.TEXT_LIST,
            "how the pool contradicts the record of its last good scrub",
            {"said": "contradictions between record and pool"},
        ),
        (
            "scrub_schedulers",
            T.TEXT_LIST,
            "files and timers that start scrubs of it",
            {"said": "schedules that scrub it"},
        ),
        instance="a pool, by its name",
    ),
    space(
        "disk",
        "Each disk that is configured, and each that the probe found; only configured ones are read.",
        "the configuration, state: observed/disks.json, observed/host.json",
        ("name", T.TEXT, "its name in the configuration, or else its device"),
        ("configured", T.BOOLEAN, "whether the configuration names it, so that it is watched", {"said": "watched"}),
        ("pools", T.TEXT_LIST, "pools that it belongs to"),
        ("present", T.BOOLEAN, "whether its path leads to a device", {"said": "there"}),
        ("asleep", T.BOOLEAN, "whether it slept at the last look: what else is told of it is older"),
        ("health", T.TEXT, "what everything that smartctl said comes to", {"values": ("passed", "failed")}),
        ("disagreements", T.TEXT_LIST, "what pySMART reads otherwise than smartctl"),
        (
            "failed_self_tests",
            T.TEXT_LIST,
            "kinds of self-test of which the last that ended failed",
            {"said": "self-tests that failed"},
        ),
        (
            "short_test_days",
            T.NUMBER,
            "days with power since a short or long self-test passed, if none failed since",
            {**_DAYS, "said": "days since a self-test passed"},
        ),
        (
            "long_test_days",
            T.NUMBER,
            "days with power since a long self-test passed, if none failed since",
            {**_DAYS, "said": "days since a long self-test passed"},
        ),
        ("temperature", T.INTEGER, "its temperature; not there while it sleeps", _CELSIUS),
        ("temperature_limit", T.INTEGER, "`temperature_warning` of the configuration", _CELSIUS),
        (
            "wear",
            T.NUMBER,
            "share of the writes that the maker promises that is used up",
            {"unit": "1 = all", "said": "wear"},
        ),
        ("wear_limit", T.NUMBER, "`wear_warning` of the configuration", {"unit": "1 = all"}),
        ("spare", T.NUMBER, "share of the spare blocks that is left", {**_SHARE, "said": "spare blocks left"}),
        ("spare_limit", T.NUMBER, "share at which the maker's own limit is reached", _SHARE),
        ("reallocated_sectors", T.INTEGER, "sectors that were replaced", _SECTORS),
        ("pending_sectors", T.INTEGER, "sectors that could not be read and wait to be written", _SECTORS),
        ("uncorrectable_sectors", T.INTEGER, "sectors that a test of the disk's own could not read", _SECTORS),
        ("media_errors", T.INTEGER, "reads or writes that could not be mended", {"unit": "errors"}),
        ("self_tests_possible", T.BOOLEAN, "False where it is known to have no self-tests which smartctl shows"),
        (
            "self_test_contradictions",
            T.TEXT_LIST,
            "how its log contradicts the records of its last self-tests that passed",
            {"said": "contradictions between record and disk"},
        ),
        ("self_test_schedulers", T.TEXT_LIST, "files that start self-tests of it", {"said": "schedules that test it"}),
        instance="a disk, by its name",
    ),
    space(
        "dataset",
        "Each dataset of a configured pool on which something of the backup lies. `zfs.dataset` has more of it.",
        "state: observed/datasets.json",
        ("present", T.BOOLEAN, "whether it is there", {"said": "there"}),
        ("uses", T.TEXT_LIST, "what of the backup lies on it: `source NAME`, `repository NAME`"),
        ("readonly", T.BOOLEAN, "whether it can be read only"),
        ("receiving", T.BOOLEAN, "whether an interrupted receive waits to be resumed"),
        ("snapshots", T.INTEGER, "snapshots of it", {"unit": "snapshots"}),
        ("newest_snapshot_at", T.TIME, "when the newest of them was made"),
        instance="a dataset, by its name",
    ),
)
