"""What the probe observed, as metrics: unknown is absent or a state of its own, and never a good number."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from bkp.disk_health.model import Health
from bkp.state.observed import not_seen
from bkp.zfs_health.model import Scan
from exporter.metrics.disks import SECTION as DISKS
from exporter.metrics.metric import MAX_PARTS
from exporter.metrics.vdevs import MAX_VDEVS
from exporter.page import build_page
from tests.support.exporter_world import World, healthy
from tests.support.exposition import Metrics
from tests.support.observed import (
    CONFIGURED,
    LEFT,
    Observer,
    a_disk,
    a_disk_seen,
    a_leaf,
    a_pool,
    a_pool_seen,
    a_tree,
    a_vdev,
)
from tests.support.observed_world import configure, observed, observed_badly

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def observer(world: World) -> Observer:
    healthy(world)
    return configure(world, CONFIGURED)


def metrics(world: World, observer: Observer) -> Metrics:
    observer.write()
    return Metrics(world)


def test_a_pool_that_cannot_be_seen_is_in_no_known_state_and_keeps_its_values_with_their_time(
    world: World, observer: Observer
) -> None:
    before = metrics(world, observer)
    assert before.state("pool_state", "state", pool="tank") == "online"
    assert before.value("observation_success", observation="pools", part="tank") == 1
    later = observer.now + timedelta(minutes=1)
    observer.pools["tank"] = not_seen("it hangs", "zpool", later, observer.pools["tank"])
    after = metrics(world, observer)
    assert after.state("pool_state", "state", pool="tank") == "unknown"
    assert after.state("pool_scan_state", "state", pool="tank", scan="scrub") == "unknown"
    assert after.state("vdev_state", "state", pool="tank", vdev="101") == "unknown"
    assert after.value("pool_capacity_ratio", pool="tank") == 0.4
    assert after.value("observation_success", observation="pools", part="tank") == 0
    seen = after.value("observation_seen_timestamp_seconds", observation="pools", part="tank")
    assert seen == observer.now.timestamp()
    looked = after.value("observation_looked_timestamp_seconds", observation="pools", part="tank")
    assert looked == later.timestamp()


NOW_OR_NOTHING = (
    ("dataset_mounted", {"dataset": "tank/Secure"}, 1),
    ("dataset_key_available", {"dataset": "tank/Secure"}, 1),
    ("pool_suspended", {"pool": "tank"}, 0),
)


@pytest.mark.parametrize("minutes", [-20, 16])
def test_states_are_unknown_when_the_look_is_old_or_in_the_future(
    world: World, observer: Observer, minutes: int
) -> None:
    found = metrics(world, observer)
    assert [found.value(name, **labels) for name, labels, _ in NOW_OR_NOTHING] == [good for *_, good in NOW_OR_NOTHING]
    world.now = observer.now + timedelta(minutes=minutes)
    found = metrics(world, observer)
    assert found.state("pool_state", "state", pool="tank") == "unknown"
    assert [found.value(name, **labels) for name, labels, _ in NOW_OR_NOTHING] == [None, None, None]
    assert found.value("observation_in_future", observation="pools", part="tank") == (minutes < 0)


def test_what_is_configured_is_there_before_anything_was_seen(world: World, observer: Observer) -> None:
    del observer
    found = Metrics(world)
    assert found.state("pool_state", "state", pool="tank") == "unknown"
    assert found.state("disk_health", "state", disk="left") == "unknown"
    assert found.value("disk_present", disk="left") is None
    assert found.value("disk_temperature_warning_celsius", disk="left") == 50
    assert found.value("pool_capacity_warning_ratio", pool="tank") == 0.8


def test_what_is_configured_and_not_there_is_missing(world: World, observer: Observer) -> None:
    del observer.pools["tank"]
    observer.disk(real_path=None)
    found = metrics(world, observer)
    assert found.state("pool_state", "state", pool="tank") == "missing"
    assert found.value("disk_present", disk="left") == 0
    assert found.value("disk_present", disk="right") == 1
    assert found.state("disk_health", "state", disk="left") == "unknown"


def test_a_pool_that_went_away_leaves_no_good_state_behind(world: World, observer: Observer) -> None:
    for parts in (observer.pools, observer.datasets):
        for name, part in parts.items():
            parts[name] = not_seen("it is not imported", "zpool", observer.now, part, missing=True)  # type: ignore[arg-type]
    found = metrics(world, observer)
    assert found.state("pool_state", "state", pool="tank") == "missing"
    assert [found.value(name, **labels) for name, labels, _ in NOW_OR_NOTHING] == [None, None, None]
    assert found.value("dataset_used_bytes", dataset="tank/Secure") is not None


def test_a_suspended_pool_is_not_online_and_data_errors_without_a_number_are_present(
    world: World, observer: Observer
) -> None:
    observer.pool(suspended=True, data_errors="some", space=None)
    found = metrics(world, observer)
    assert found.state("pool_state", "state", pool="tank") == "suspended"
    assert found.value("pool_data_errors", pool="tank") is None
    assert found.value("pool_data_errors_present", pool="tank") == 1
    assert found.value("pool_free_bytes", pool="tank") is None
    observer.pool(data_errors=None)
    assert metrics(world, observer).value("pool_data_errors_present", pool="tank") is None


def test_only_a_scan_that_finished_has_an_end(world: World, observer: Observer) -> None:
    canceled = Scan(state="canceled", end=observer.now)
    observer.pool(scrub=canceled)
    found = metrics(world, observer)
    assert found.state("pool_scan_state", "state", pool="tank", scan="scrub") == "canceled"
    assert found.value("pool_scan_end_timestamp_seconds", pool="tank", scan="scrub") is None


def test_a_spare_in_use_is_one_device_and_one_without_a_guid_has_its_name(world: World, observer: Observer) -> None:
    spare = a_leaf("ata-SPARE", "105", "INUSE", vdev_class="spare")
    used = a_leaf("ata-SPARE", "105", "FAULTED", checksum=3)
    observer.pool(vdevs=(*a_tree(LEFT, used), spare))
    found = metrics(world, observer)
    assert found.state("vdev_state", "state", pool="tank", vdev="105") == "faulted"
    assert found.value("vdev_checksum_errors", pool="tank", vdev="105") == 3
    assert found.state("vdev_state", "state", pool="tank", vdev="mirror-0") == "online"
    labels = {"path": "/dev/disk/by-id/ata-LEFT_01-part1", "disk": "left", "model": "Example Disk 2TB"}
    assert found.value("vdev_info", pool="tank", vdev="101", **labels) == 1


def test_series_are_bounded_and_the_gravest_device_is_never_left_out(world: World, observer: Observer) -> None:
    many = [a_vdev(f"d{number}") for number in range(MAX_VDEVS + 50)]
    observer.pool(vdevs=a_tree(*many, a_vdev("last", "FAULTED")))
    observer.datasets.update({f"tank/{number:05}": observer.datasets["tank"] for number in range(MAX_PARTS + 200)})
    found = metrics(world, observer)
    states = [labels for name, labels in found.series if name == "bkp_vdev_read_errors"]
    assert len(states) == MAX_VDEVS
    assert found.state("vdev_state", "state", pool="tank", vdev="last") == "faulted"
    assert sum(name == "bkp_dataset_mounted" for name, _ in found.series) <= MAX_PARTS


def test_a_sleeping_disk_keeps_its_values_with_the_time_when_it_was_awake(world: World, observer: Observer) -> None:
    awake = observer.now - timedelta(days=3)
    observer.disk(asleep=True, health_at=awake)
    found = metrics(world, observer)
    assert found.value("disk_asleep", disk="left") == 1
    assert found.value("disk_values_timestamp_seconds", disk="left") == awake.timestamp()
    assert found.value("disk_temperature_celsius", disk="left") == 34
    assert found.state("disk_health", "state", disk="left") == "passed"


def test_what_a_disk_does_not_tell_is_absent(world: World, observer: Observer) -> None:
    silent = msgspec.structs.replace(
        a_disk(values={"temperature_celsius": None}), health=Health.UNKNOWN, exit_bits=None, self_tests=None
    )
    observer.disk(silent)
    found = metrics(world, observer)
    assert found.value("disk_temperature_celsius", disk="left") is None
    assert found.value("disk_wear_ratio", disk="left") is None
    assert found.value("disk_exit_bit", disk="left", bit="disk_failing") is None
    assert found.value("disk_self_test_powered_seconds", disk="left", test="long") is None
    assert found.value("disk_disagreements", disk="left") is None
    assert found.value("disk_exit_bit", disk="right", bit="disk_failing") == 0


def test_every_metric_of_a_disk_has_a_sample_in_some_world(tmp_path: Path) -> None:
    found: set[str] = set()
    for name, fill in (("good", observed), ("bad", observed_badly)):
        world = World(tmp_path / name)
        fill(world)
        found |= {sample.metric.name for sample in DISKS.collect(world.model())}
    assert [metric.name for metric in DISKS.metrics if metric.name not in found] == []


def test_a_collector_that_fails_takes_no_other_down(world: World, observer: Observer) -> None:
    """A label that two pools share after it was cut is one series twice: the whole section is left out, no other."""
    for end in "ab":
        name = "p" * 250 + end
        observer.pools[name] = observer.part(a_pool_seen(a_pool(observer.now, name), devices={}))
    found = metrics(world, observer)
    assert found.value("exporter_collector_success", collector="pools") == 0
    assert found.value("exporter_collector_success", collector="disks") == 1


def test_the_page_shows_the_worst_device_first_and_links_concerns_to_cards(tmp_path: Path) -> None:
    world = World(tmp_path)
    observed_badly(world)
    page = build_page(world.model())
    tank = page.pools[0]
    assert (tank.word, tank.status) == ("degraded", "failed")
    assert [(device.depth, device.name, device.state) for device in tank.devices[:4]] == [
        (0, "tank", "degraded"),
        (1, "mirror-0", "degraded"),
        (2, "ata-RIGHT_02-part1", "faulted"),
        (2, "ata-LEFT_01-part1", "online"),
    ]
    assert [(bar.label, bar.tone) for bar in tank.bars] == [("scrub", "running"), ("in use", "warn")]
    assert {card.name: (card.word, card.status) for card in page.disks} == {
        "left": ("passed, asleep", "ok"),
        "right": ("failed", "failed"),
        "fast": ("failed", "failed"),
        "bridge": ("unknown", "unknown"),
        "gone": ("missing", "failed"),
        "/dev/sdx": ("passed", "ok"),
    }
    anchors = {card.anchor for card in page.pools} | {card.anchor for card in page.disks}
    anchors |= {"drill-main", "selftest-long-right"}  # which is paused, and which failed
    assert {line.anchor for line in page.concerns if line.anchor} <= anchors
    assert page.headline == "29 things need attention"


def test_a_pool_and_a_disk_that_were_not_seen_are_not_green_on_the_page(world: World, observer: Observer) -> None:
    observer.pools["tank"] = not_seen("it hangs", "zpool", observer.now, observer.pools["tank"])
    observer.disks["left"] = not_seen("it hangs", "smartctl", observer.now, observer.disks["left"])
    observer.write()
    page = build_page(world.model())
    assert (page.pools[0].word, page.pools[0].status) == ("unknown", "failed")
    assert (page.disks[0].word, page.disks[0].status) == ("unknown", "unknown")
    assert page.tone == "unknown"


def test_a_page_on_which_all_is_well_counts_what_is_watched(tmp_path: Path) -> None:
    world = World(tmp_path)
    observed(world)
    page = build_page(world.model())
    assert page.headline == "All 11 jobs, 1 pool and 2 disks are in order"
    assert [card.status for card in page.pools] + [card.status for card in page.disks] == ["ok"] * 3


def test_an_observation_is_seen_at_the_next_look_and_decoded_only_when_it_changes(
    world: World, observer: Observer
) -> None:
    reader = world.reader()
    observer.write()
    first, seen = reader.read().survey.observations, reader.fingerprint()
    again = reader.read().survey.observations
    assert again.pools is first.pools
    assert again.disks is first.disks
    for name in ("pools", "datasets", "disks", "host"):
        path = world.store.root / "observed" / f"{name}.json"
        path.write_bytes(path.read_bytes() + b" ")
        assert reader.fingerprint() != seen, name
        seen = reader.fingerprint()
    observer.disks["left"] = observer.part(a_disk_seen(observer.now, asleep=True))
    observer.write()
    assert reader.read().survey.observations.disks is not first.disks
