"""Pools and disks: what is not in order, what is filling, what is wearing out."""

from __future__ import annotations

from dashboards.source.boards.shared import SERVER_KEY, bad, runs
from dashboards.source.dashboard import Dashboard, Variable, line, section
from dashboards.source.looks import (
    BYTES,
    CELSIUS,
    COUNT,
    GOOD,
    LIMITS,
    NO_WANTED,
    NONE_BETTER,
    NONE_WANTED,
    PLAIN_COUNT,
    SECONDS,
    SHARE,
    TEXT,
    WARNING,
    WHEN,
    YES_NO,
    YES_WANTED,
    Look,
    states_of,
)
from dashboards.source.panels import graph, stat, timeline
from dashboards.source.query import SERVER, age, beyond, milliseconds, newest, reached, state_of
from dashboards.source.table import Column, Key, table

P = "pool=~'$pool'"
D = "disk=~'$disk'"
POOL = f"{SERVER}, pool"
DISK = f"{SERVER}, disk"
VDEV = f"{SERVER}, pool, vdev"
DATASET = f"{SERVER}, dataset"
TEST_RUN = f"{DISK}, kind"
NOT_ONLINE, NOT_PASSED = ",state!='online'", f"{D},state!='passed'"
PART = Look(SHARE, decimals=1)
REPAIRED = Look(BYTES, ((0, GOOD), (1, WARNING)), coloured=True)
OVERDUE = Look(names=(("0", "in time", GOOD), ("1", "overdue", WARNING)), coloured=True)


def _pool(metric: str, keys: str = POOL, more: str = "") -> str:
    return newest(metric, keys, P + more)


def _disk(metric: str, keys: str = DISK) -> str:
    return newest(metric, keys, D)


def _dataset(metric: str) -> str:
    return newest(metric, DATASET)


SCRUBBED = _pool("bkp_pool_scan_end_timestamp_seconds", more=",scan='scrub'")
HEAT = reached(
    _disk("bkp_disk_temperature_celsius"),
    _disk("bkp_disk_temperature_warning_celsius"),
    _disk("bkp_disk_temperature_critical_celsius"),
)

GLANCE = line(
    4,
    bad(
        "Pools not online",
        f"sum({_pool('bkp_pool_state', f'{POOL}, state', NOT_ONLINE)})",
        NONE_WANTED,
        "Pools that are degraded, suspended, missing, or of which nothing is known.",
    ),
    stat(
        "Fullest pool",
        f"max({_pool('bkp_pool_capacity_ratio')})",
        PART,
        "Share in use of the pool that is fullest.",
    ),
    bad(
        "Beyond its limit",
        f"sum({beyond(_pool('bkp_pool_capacity_ratio'), _pool('bkp_pool_capacity_warning_ratio'))})",
        NONE_BETTER,
        "Configured pools whose share in use is above the configured warning.",
    ),
    bad(
        "Data errors",
        f"sum({_pool('bkp_pool_data_errors_present')})",
        NONE_WANTED,
        "Pools with damaged files or metadata.",
    ),
    bad(
        "Disks not well",
        f"sum({newest('bkp_disk_health', f'{DISK}, state', NOT_PASSED)})",
        NONE_WANTED,
        "Disks that fail, or of which nothing is known.",
    ),
    stat(
        "Warmest disk",
        f"max({_disk('bkp_disk_temperature_celsius')} unless on ({DISK}) (bkp_disk_asleep == 1))",
        Look(CELSIUS),
        "Temperature of the warmest disk that is awake.",
        missing="all asleep, or not known",
    ),
)

POOLS = table(
    "Pools",
    "Each pool that is configured or was found. Limits are those of the configuration.",
    (SERVER_KEY, Key("pool", "Pool")),
    Column("State", state_of("bkp_pool_state", POOL, P), states_of("bkp_pool_state")),
    Column("In use", _pool("bkp_pool_capacity_ratio"), PART),
    Column("Warning from", _pool("bkp_pool_capacity_warning_ratio"), PART),
    Column("Critical from", _pool("bkp_pool_capacity_critical_ratio"), PART),
    Column(
        "Room",
        beyond(
            _pool("bkp_pool_capacity_ratio"),
            _pool("bkp_pool_capacity_warning_ratio"),
            _pool("bkp_pool_capacity_critical_ratio"),
        ),
        LIMITS,
    ),
    Column("Free", _pool("bkp_pool_free_bytes"), Look(BYTES)),
    Column("In pieces", _pool("bkp_pool_fragmentation_ratio"), PART),
    Column("Data errors", _pool("bkp_pool_data_errors_present"), NO_WANTED),
    Column("Last scrub", milliseconds(SCRUBBED), WHEN),
    Column("Scrub", f"{age(SCRUBBED)} > bool {_pool('bkp_pool_scrub_limit_seconds')}", OVERDUE),
    Column(
        "Scrub now",
        state_of("bkp_pool_scan_state", POOL, f"{P},scan='scrub'"),
        states_of("bkp_pool_scan_state"),
    ),
    Column("Scrub errors", _pool("bkp_pool_scan_errors", more=",scan='scrub'"), NONE_WANTED),
    Column("Scrub repaired", _pool("bkp_pool_scan_repaired_bytes", more=",scan='scrub'"), REPAIRED),
    Column("Checkpoint", _pool("bkp_pool_checkpoint_bytes"), Look(BYTES, ((1, WARNING),))),
    Column("Of the backup", _pool("bkp_pool_in_backup"), YES_NO),
)

VDEVS = table(
    "Devices of the pools",
    "Which disk is in which pool, its state there, and its errors since they were last cleared.",
    (
        SERVER_KEY,
        Key("pool", "Pool"),
        Key("path", "Device"),
        Key("disk", "Disk"),
        Key("model", "Model", Look(TEXT)),
        Key("vdev", "Guid", Look(TEXT)),
    ),
    Column("", _pool("bkp_vdev_info", f"{VDEV}, path, disk, model")),
    Column("State", state_of("bkp_vdev_state", VDEV, P), states_of("bkp_vdev_state")),
    Column("Read errors", _pool("bkp_vdev_read_errors", VDEV), NONE_BETTER),
    Column("Write errors", _pool("bkp_vdev_write_errors", VDEV), NONE_BETTER),
    Column("Checksum errors", _pool("bkp_vdev_checksum_errors", VDEV), NONE_BETTER),
    sort="Pool",
)

DATASETS = table(
    "Datasets",
    "Every dataset of the configured pools, and whether a source or a repository lies on it.",
    (SERVER_KEY, Key("dataset", "Dataset")),
    Column("Of the backup", _dataset("bkp_dataset_in_backup"), YES_NO),
    Column("Key", _dataset("bkp_dataset_key_available"), YES_WANTED),
    Column("Mounted", _dataset("bkp_dataset_mounted"), YES_WANTED),
    Column("Used", _dataset("bkp_dataset_used_bytes"), Look(BYTES)),
    Column("Available", _dataset("bkp_dataset_available_bytes"), Look(BYTES)),
    Column("Snapshots", _dataset("bkp_dataset_snapshots"), Look(COUNT)),
    Column("Newest snapshot", milliseconds(_dataset("bkp_dataset_newest_snapshot_timestamp_seconds")), WHEN),
    Column("Receive unfinished", _dataset("bkp_dataset_receive_in_progress"), YES_NO),
    Column("Read-only", _dataset("bkp_dataset_readonly"), YES_NO),
)

DISKS = table(
    "Disks",
    "Each disk that is configured or was found. A sleeping disk's values are of when it was last awake.",
    (SERVER_KEY, Key("disk", "Disk"), Key("model", "Model", Look(TEXT)), Key("serial", "Serial number", Look(TEXT))),
    Column("", _disk("bkp_disk_info", f"{DISK}, model, serial")),
    Column("Health", state_of("bkp_disk_health", DISK, D), states_of("bkp_disk_health")),
    Column("There", _disk("bkp_disk_present"), YES_WANTED),
    Column("Asleep", _disk("bkp_disk_asleep"), YES_NO),
    Column("Values of", milliseconds(_disk("bkp_disk_values_timestamp_seconds")), WHEN),
    Column("Temperature", _disk("bkp_disk_temperature_celsius"), Look(CELSIUS)),
    Column(
        "Heat",
        f"({HEAT}) unless on ({DISK}) (bkp_disk_asleep == 1)",
        LIMITS,
    ),
    Column("Wear", _disk("bkp_disk_wear_ratio"), PART),
    Column("Worn", reached(_disk("bkp_disk_wear_ratio"), _disk("bkp_disk_wear_warning_ratio")), LIMITS),
    Column("Reallocated", _disk("bkp_disk_reallocated_sectors"), NONE_BETTER),
    Column("Pending", _disk("bkp_disk_pending_sectors"), NONE_WANTED),
    Column("Uncorrectable", _disk("bkp_disk_uncorrectable_sectors"), NONE_WANTED),
    Column("Media errors", _disk("bkp_disk_media_errors"), NONE_WANTED),
    Column("Warns itself", f"sum by ({DISK}) ({_disk('bkp_disk_critical_warning', f'{DISK}, warning')})", NONE_WANTED),
    Column("Spare", _disk("bkp_disk_spare_ratio"), PART),
    Column("Cable errors", _disk("bkp_disk_crc_errors"), NONE_BETTER),
    Column("Readings differ", _disk("bkp_disk_disagreements"), NONE_BETTER),
    Column("Switched on for", _disk("bkp_disk_power_on_seconds"), Look(SECONDS)),
)

SELF_TESTS = table(
    "Self-tests",
    "The newest self-test of each kind, and for how long the disk was switched on since.",
    (SERVER_KEY, Key("disk", "Disk"), Key("test", "Test")),
    Column("Result", state_of("bkp_disk_self_test_result", f"{DISK}, test", D), states_of("bkp_disk_self_test_result")),
    Column("Switched on since", _disk("bkp_disk_self_test_powered_seconds", f"{DISK}, test"), Look(SECONDS)),
)

SCRUB_RUNS = table(
    "Scrubs that bkp-run began",
    "How far the one under way is, and what the last that a run followed to a good end came to.",
    (SERVER_KEY, Key("pool", "Pool")),
    Column("Ended", milliseconds(_pool("bkp_scrub_run_finished_timestamp_seconds")), WHEN),
    Column("It took", _pool("bkp_scrub_run_duration_seconds"), Look(SECONDS)),
    Column("It read", _pool("bkp_scrub_run_examined_bytes"), Look(BYTES)),
    Column("It repaired", _pool("bkp_scrub_run_repaired_bytes"), REPAIRED),
    Column("Under way", _pool("bkp_scrub_run_progress_ratio"), PART),
    Column("Paused", _pool("bkp_scrub_run_paused"), YES_NO),
)

TEST_RUNS = table(
    "Self-tests that bkp-run began",
    "How far the one under way is, and how the last one ended. Only passed and failed say something of the disk.",
    (SERVER_KEY, Key("disk", "Disk"), Key("kind", "Test")),
    Column("It ended", state_of("bkp_selftest_run_end", TEST_RUN, D), states_of("bkp_selftest_run_end")),
    Column("Under way", _disk("bkp_selftest_run_progress_ratio", TEST_RUN), PART),
    sort="Disk",
)

BOARD = Dashboard(
    "bkp-storage",
    "Backups: pools and disks",
    "The pools, their devices, their datasets, and the disks.",
    (
        section("At a glance", GLANCE),
        section(
            "Pools",
            line(7, POOLS),
            line(
                8,
                timeline(
                    "State of the pools",
                    state_of("bkp_pool_state", POOL, P),
                    "{{pool}} on {{instance}}",
                    states_of("bkp_pool_state"),
                    "The state of each pool. A gap: the exporter did not answer.",
                ),
                timeline(
                    "Scrubs",
                    state_of("bkp_pool_scan_state", POOL, f"{P},scan='scrub'"),
                    "{{pool}} on {{instance}}",
                    states_of("bkp_pool_scan_state"),
                    "What became of the last scrub. `not_told`: another scan came after it.",
                ),
            ),
            line(
                9,
                graph(
                    "In use, and the limits",
                    PART,
                    "Share in use of each pool, with its configured limits.",
                    (_pool("bkp_pool_capacity_ratio"), "{{pool}}"),
                    (_pool("bkp_pool_capacity_warning_ratio"), "limit: {{pool}} warning"),
                    (_pool("bkp_pool_capacity_critical_ratio"), "limit: {{pool}} critical"),
                ),
                graph(
                    "Free space, and in 14 days",
                    Look(BYTES),
                    "Free space of each pool, and what is left in 14 days if it goes on as in the last 7.",
                    (_pool("bkp_pool_free_bytes"), "{{pool}}"),
                    (
                        f"max by ({POOL}) (predict_linear(bkp_pool_free_bytes{{{P}}}[7d], 1209600))",
                        "limit: {{pool}} in 14 days",
                    ),
                    least=None,
                ),
                graph(
                    "Progress of scrubs and resilvers",
                    PART,
                    "How far each scan is; it may fall.",
                    (_pool("bkp_pool_scan_progress_ratio", f"{POOL}, scan"), "{{scan}} of {{pool}}"),
                ),
            ),
            line(6, SCRUB_RUNS),
            line(8, VDEVS),
            line(8, DATASETS),
        ),
        section(
            "Disks",
            line(9, DISKS),
            line(
                8,
                timeline(
                    "Health of the disks",
                    state_of("bkp_disk_health", DISK, D),
                    "{{disk}} on {{instance}}",
                    states_of("bkp_disk_health"),
                    "By the disk's own word and every sign against it. A gap: the exporter did not answer.",
                ),
                SELF_TESTS,
                TEST_RUNS,
            ),
            line(
                8,
                graph(
                    "Temperature, and the limits",
                    Look(CELSIUS),
                    "Of a sleeping disk it is that of when it was last awake. Limits are those of the configuration.",
                    (_disk("bkp_disk_temperature_celsius"), "{{disk}}"),
                    (_disk("bkp_disk_temperature_warning_celsius"), "limit: {{disk}} warning"),
                    (_disk("bkp_disk_temperature_critical_celsius"), "limit: {{disk}} critical"),
                    least=None,
                ),
                graph(
                    "Bad sectors",
                    PLAIN_COUNT,
                    "Reallocated, pending and uncorrectable sectors. What matters is whether they grow.",
                    (_disk("bkp_disk_reallocated_sectors"), "{{disk}} reallocated"),
                    (_disk("bkp_disk_pending_sectors"), "{{disk}} pending"),
                    (_disk("bkp_disk_uncorrectable_sectors"), "{{disk}} uncorrectable"),
                ),
                graph(
                    "Wear, and the limit",
                    PART,
                    "Share of the promised writes of solid-state disks that is used up.",
                    (_disk("bkp_disk_wear_ratio"), "{{disk}}"),
                    (_disk("bkp_disk_wear_warning_ratio"), "limit: {{disk}}"),
                ),
            ),
        ),
    ),
    (
        Variable("pool", "Pool", "label_values(bkp_pool_state{job=~'$job',instance=~'$instance'}, pool)"),
        Variable("disk", "Disk", "label_values(bkp_disk_health{job=~'$job',instance=~'$instance'}, disk)"),
    ),
    (runs("job_name=~'scrub|selftest-.+'"),),
)
