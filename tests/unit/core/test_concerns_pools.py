"""Pools, their scrubs and their datasets: every bad state has its concern, and what is unknown is never green."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from bkp.state.observed import not_seen, path_of
from bkp.zfs_health.from_text import read_status
from bkp.zfs_health.model import Checkpoint, PoolSpace, Scan
from tests.support.observed import (
    CONFIGURED,
    LEFT,
    RIGHT,
    a_dataset,
    a_leaf,
    a_pool,
    a_pool_seen,
    a_tree,
    a_vdev,
)
from tests.support.zpool_written import WRITTEN
from tests.unit.core.observed_support import NOW, Server

if TYPE_CHECKING:
    from pathlib import Path

DAY = timedelta(days=1)
SPACE = PoolSpace(name="tank", size=1000, free=150, capacity=0.85)
FINISHED = Scan(state="finished", end=NOW - DAY, errors=0, repaired=0)


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def test_all_is_well_and_nothing_is_said(server: Server) -> None:
    assert server.seen() == []


WARNS = ("pool_status", "warning")
LONG_AGO = NOW - 40 * DAY
STATELESS_ROOT = msgspec.structs.replace(a_tree()[0], state=None)
WORSE_ROOT = msgspec.structs.replace(a_tree()[0], state="DEGRADED")


@pytest.mark.parametrize(
    ("changes", "kind", "severity", "words"),
    [
        ({"imported": False}, "pool_missing", "critical", "it is not imported"),
        ({"suspended": True}, "pool_suspended", "critical", "it is suspended, though it says ONLINE"),
        ({"vdevs": a_tree(state="DEGRADED"), "state": "DEGRADED"}, "pool_not_online", "critical", "it is DEGRADED"),
        ({"vdevs": a_tree(LEFT, a_leaf("x", "102", "FAULTED"))}, "pool_not_online", "critical", "x-part1 is FAULTED"),
        ({"vdevs": a_tree(LEFT, a_leaf("x", "102", "NOTSURE?"))}, "pool_not_online", "critical", "x-part1 is NOTSURE?"),
        ({"vdevs": (WORSE_ROOT,)}, "pool_not_online", "critical", "it is ONLINE: tank is DEGRADED"),
        (
            {"vdevs": a_tree(LEFT, a_vdev("tank", "FAULTED", guid="102"))},
            "pool_not_online",
            "critical",
            "tank is FAULT",
        ),
        ({"vdevs": a_tree(LEFT, a_leaf("x", "102", checksum=4))}, "pool_errors", "warning", "4 checksum errors"),
        ({"resilver": Scan(state="finished", end=NOW, errors=3)}, "pool_errors", "warning", "resilver met 3 errors"),
        ({"data_errors": 7}, "pool_data_errors", "critical", "files on it are damaged (7 errors)"),
        ({"data_errors": "some"}, "pool_data_errors", "critical", "files on it are damaged"),
        ({"status": "Mismatch between pool hostid and system hostid."}, "pool_status", "warning", "hostid"),
        (
            {"status": "Some features are not enabled. It can still be used, but some features are unavailable."},
            *("pool_status", "info", "features"),
        ),
        ({"status": "The pool can only be accessed in read-only mode: it uses features"}, *WARNS, "read-only"),
        ({"status": "Errata #4 detected. An on-disk format incompatibility."}, *WARNS, "Errata"),
        (
            {"vdevs": (*a_tree(), a_vdev("ata-S", "INUSE", vdev_class="spare", guid="101"))},
            *WARNS,
            "a spare is in use: ata-S",
        ),
        ({"space": SPACE}, "pool_full", "warning", "85% of it is in use, 150 B are free"),
        ({"space": msgspec.structs.replace(SPACE, capacity=0.91)}, "pool_full", "critical", "91% of it is in use"),
        ({"checkpoint": Checkpoint(state="exists", size=4096)}, "pool_checkpoint", "warning", "(4.0 KiB)"),
        ({"space": msgspec.structs.replace(SPACE, capacity=0.1, checkpoint=9)}, "pool_checkpoint", "warning", "(9 B)"),
        ({"state": None}, "pool_unknown", "warning", "its state is not told"),
        ({"vdevs": (STATELESS_ROOT,)}, "pool_unknown", "warning", "devices together is not told"),
        ({"vdevs": ()}, "pool_unknown", "warning", "its devices are not told"),
        ({"suspended": None}, "pool_unknown", "warning", "whether it is suspended is not told"),
        ({"data_errors": None}, "pool_unknown", "warning", "whether files are damaged is not told"),
        ({"space": None}, "pool_unknown", "warning", "how full it is is not told"),
        ({"problems": ("a line is cut",)}, "pool_unknown", "warning", "a line is cut"),
        ({"vdevs": a_tree(LEFT, a_leaf("x", "102", read=None))}, "pool_unknown", "warning", "the errors of x-part1"),
        ({"scrub": Scan(state="never")}, "scrub_old", "warning", "it was never scrubbed"),
        ({"scrub": Scan(state="not told")}, "scrub_old", "warning", "remembers only the last scan"),
        ({"scrub": Scan()}, "scrub_old", "warning", "is not known"),
        ({"scrub": msgspec.structs.replace(FINISHED, end=None)}, "scrub_old", "warning", "is not known"),
        ({"scrub": msgspec.structs.replace(FINISHED, end=NOW + DAY)}, "scrub_old", "warning", "is not known"),
        ({"scrub": msgspec.structs.replace(FINISHED, end=NOW - 37 * DAY)}, "scrub_old", "warning", "ended 37d ago"),
        ({"scrub": Scan(state="paused", paused_at=NOW - 2 * DAY)}, "scrub_stuck", "warning", "for more than a day"),
        ({"scrub": Scan(state="paused", paused_at=NOW, start=LONG_AGO)}, "scrub_stuck", "warning", "more than 36d"),
        ({"scrub": Scan(state="paused")}, "scrub_stuck", "warning", "for more than a day"),
        ({"scrub": Scan(state="canceled", end=NOW - DAY)}, "scrub_stuck", "warning", "was canceled"),
        ({"scrub": Scan(state="in progress", start=NOW - 37 * DAY)}, "scrub_stuck", "warning", "more than 36d"),
        ({"scrub": Scan(state="in progress")}, "scrub_stuck", "warning", "is not known"),
        ({"scrub": Scan(state="in progress", start=NOW + DAY)}, "scrub_stuck", "warning", "is not known"),
        ({"scrub": msgspec.structs.replace(FINISHED, errors=3)}, "scrub_errors", "warning", "3 errors were not"),
        (
            {"scrub": msgspec.structs.replace(FINISHED, repaired=2048)},
            "scrub_errors",
            "warning",
            "2.0 KiB were repaired",
        ),
        ({"scrub": msgspec.structs.replace(FINISHED, errors=None)}, "scrub_errors", "warning", "not all of what"),
    ],
)
def test_every_bad_state_of_a_pool_is_said(
    server: Server, changes: dict[str, Any], kind: str, severity: str, words: str
) -> None:
    server.observer.pool(**changes)
    concern = server.only()
    assert (concern.kind, concern.severity, concern.object) == (kind, severity, "pool tank")
    assert concern.sentence.startswith("pool tank (source home, repository main): ")
    assert words in concern.sentence
    assert concern.remedy


@pytest.mark.parametrize(
    "changes",
    [
        {"scrub": Scan(state="in progress", start=NOW - DAY, progress=0.3)},
        {"resilver": Scan(state="finished", end=NOW - DAY, errors=0)},
        {"scrub": Scan(state="paused", start=NOW - DAY, paused_at=NOW - DAY / 2)},
        {"checkpoint": Checkpoint(state="discarding", size=4096)},
        {"vdevs": (*a_tree(), a_vdev("ata-S", "AVAIL", vdev_class="spare", read=None, guid="101"))},
    ],
)
def test_what_is_usual_is_no_concern(server: Server, changes: dict[str, Any]) -> None:
    server.observer.pool(**changes)
    assert server.seen() == []


def test_a_resilver_that_finished_is_no_scrub(server: Server) -> None:
    server.observer.pool(scrub=Scan(state="not told"), resilver=Scan(state="finished", end=NOW, errors=0))
    assert server.kinds() == {"scrub_old": "warning"}


def test_a_scrub_that_repaired_names_the_disk_that_counts_errors(server: Server) -> None:
    server.observer.pool(
        vdevs=a_tree(LEFT, a_leaf("ata-RIGHT_02", "102", checksum=12)),
        scrub=msgspec.structs.replace(FINISHED, repaired=1 << 20),
    )
    (sentence,) = [each.sentence for each in server.seen() if each.kind == "scrub_errors"]
    assert sentence.endswith("1.0 MiB were repaired; errors are counted on disk right")


def test_the_gravest_device_is_named_first_and_those_in_order_are_not(server: Server) -> None:
    bad = (a_leaf("a", "103", "OFFLINE"), a_leaf("b", "102", "FAULTED", notes=("too many errors",)), LEFT)
    server.observer.pool(state="DEGRADED", vdevs=a_tree(*bad, state="DEGRADED"), action="Replace the device.")
    concern = next(each for each in server.seen() if each.kind == "pool_not_online")
    assert concern.sentence.endswith(": it is DEGRADED: b-part1 is FAULTED (too many errors), a-part1 is OFFLINE")
    assert concern.remedy == "Replace the device."


def test_a_pool_that_cannot_be_seen_is_critical_and_what_was_bad_before_stays(server: Server) -> None:
    server.observer.pool(data_errors=2)
    before = server.observer.pools["tank"]
    server.observer.pools["tank"] = not_seen("zpool did not answer in 30s", "zpool status", NOW, before)
    found = {each.kind: each for each in server.seen()}
    assert set(found) == {"pool_unknown", "pool_data_errors"}
    assert found["pool_unknown"].severity == "critical"
    assert "zpool did not answer in 30s" in found["pool_unknown"].sentence
    assert found["pool_unknown"].since == NOW


def test_a_look_that_saw_nothing_is_a_concern_though_all_was_well_before(server: Server) -> None:
    server.observer.pools["tank"] = not_seen("it hangs", "zpool", NOW, server.observer.pools["tank"])
    assert server.kinds() == {"pool_unknown": "critical"}
    server.observer.pools["tank"] = not_seen("it hangs", "zpool", NOW, None)
    assert server.kinds() == {"pool_unknown": "critical"}


def test_a_configured_pool_that_the_observation_lacks_is_missing(server: Server) -> None:
    del server.observer.pools["tank"]
    assert server.kinds() == {"pool_missing": "critical"}


def test_a_pool_that_nobody_configured_is_said_with_its_state(server: Server) -> None:
    attic = a_pool_seen(a_pool(NOW, "attic", state="DEGRADED"), configured=False, devices={})
    server.observer.pools["attic"] = server.observer.part(attic)
    concern = server.only()
    assert (concern.kind, concern.severity) == ("pool_unconfigured", "warning")
    assert "DEGRADED" in concern.sentence


def test_a_pool_is_known_by_the_name_that_zfs_has_for_it(tmp_path: Path) -> None:
    server = Server(tmp_path, CONFIGURED.replace("{tank: {", "{main: {zfs_name: tank, "))
    assert server.seen() == []


@pytest.mark.parametrize("devices", [{"101": "/dev/sda"}, {"101": "/dev/sda", "102": "/dev/sdz"}])
def test_a_device_on_a_disk_that_nobody_configured_is_said(server: Server, devices: dict[str, str]) -> None:
    server.observer.pools["tank"] = server.observer.part(a_pool_seen(a_pool(NOW), devices=devices))
    concern = server.only()
    assert (concern.kind, concern.object) == ("disk_unconfigured", "pool tank")
    assert "ata-RIGHT_02-part1" in concern.sentence


def test_a_disk_of_another_pool_is_no_disk_of_this_one(tmp_path: Path) -> None:
    assert Server(tmp_path, CONFIGURED.replace("[left, right]", "[left]")).kinds() == {"disk_unconfigured": "warning"}


@pytest.mark.parametrize(
    ("name", "changes", "kind", "words"),
    [
        ("tank/Secure", {"key_status": "unavailable", "mounted": False}, "dataset_locked", "(source home): its key"),
        ("tank/Secure/Borg", {"mounted": False}, "dataset_unmounted", "(repository main): it is not mounted"),
        ("tank/Secure/Borg", {"mounted": False, "can_mount": "noauto"}, "dataset_unmounted", "it is not mounted"),
        ("tank/Secure", {"key_status": None}, "dataset_unknown", "whether its key is loaded is not told"),
        ("tank/Secure", {"encryption": None, "key_status": None}, "dataset_unknown", "whether its key"),
        ("tank/Secure/Borg", {"mounted": None}, "dataset_unknown", "whether it is mounted is not told"),
    ],
)
def test_a_dataset_of_the_backup_must_be_open_and_mounted(
    server: Server, name: str, changes: dict[str, Any], kind: str, words: str
) -> None:
    server.observer.datasets[name] = server.observer.part(a_dataset(name, **changes))
    concern = server.only()
    assert (concern.kind, concern.object) == (kind, f"dataset {name}")
    assert words in concern.sentence


def test_a_dataset_that_is_not_of_the_backup_and_a_replica_that_is_never_mounted_are_no_concern(server: Server) -> None:
    locked = a_dataset("tank", key_status="unavailable", mounted=False)
    server.observer.datasets["tank"] = server.observer.part(locked)
    replica = a_dataset("tank/Secure", can_mount="noauto", mounted=False)
    server.observer.datasets["tank/Secure"] = server.observer.part(replica)
    assert server.seen() == []


def test_a_dataset_below_a_source_is_of_the_backup_unless_it_is_skipped(server: Server) -> None:
    for name in ("tank/Secure/photos", "tank/Secure/Borg/below"):
        locked = a_dataset(name, key_status="unavailable", mounted=False)
        server.observer.datasets[name] = server.observer.part(locked)
    assert [each.object for each in server.seen()] == ["dataset tank/Secure/photos"]


def test_a_source_whose_dataset_is_gone_and_one_that_cannot_be_seen_are_said(server: Server) -> None:
    del server.observer.datasets["tank/Secure"]
    borg = server.observer.datasets["tank/Secure/Borg"]
    server.observer.datasets["tank/Secure/Borg"] = not_seen("zfs did not answer", "zfs", NOW, borg)
    assert {(each.kind, each.object) for each in server.seen()} == {
        ("dataset_unknown", "dataset tank/Secure"),
        ("dataset_unknown", "dataset tank/Secure/Borg"),
    }


def test_an_observation_grows_old_after_three_looks_that_did_not_come(server: Server) -> None:
    assert server.kinds(timedelta(minutes=15)) == {}
    found = server.seen(timedelta(minutes=16))
    assert {each.kind for each in found} == {"probe_stale"}
    assert [each.object for each in found] == ["observation pools", "observation datasets", "observation host"]
    assert found[0].since == NOW
    assert len(server.seen(timedelta(hours=3, minutes=1))) == 4, "disks are read every hour"


def test_one_part_that_grows_old_is_named(server: Server) -> None:
    server.observer.pools["attic"] = msgspec.structs.replace(server.observer.pools["tank"], looked_at=NOW - DAY)
    assert any(
        "has not looked at attic for more" in each.sentence for each in server.seen() if each.kind == "probe_stale"
    )


def test_an_observation_from_the_future_is_a_concern(server: Server) -> None:
    ahead = msgspec.structs.replace(server.observer.pools["tank"], looked_at=NOW + DAY)
    server.observer.pools["tank"] = ahead
    assert server.kinds() == {"clock_ahead": "warning"}


def test_a_probe_that_never_looked_is_a_concern_if_something_is_to_be_watched(tmp_path: Path) -> None:
    assert {each.object for each in Server(tmp_path).seen(write=False)} == {
        "observation pools",
        "observation datasets",
        "observation disks",
        "observation host",
    }
    assert Server(tmp_path / "bare", "").seen(write=False) == []


def test_a_damaged_observation_is_a_concern_and_hides_no_other(server: Server) -> None:
    server.observer.disk(real_path=None)
    server.observer.write()
    path_of(server.store.root, "pools").write_bytes(b"{")
    assert server.kinds(write=False) == {"state_unreadable": "warning", "disk_missing": "critical"}


def test_two_leaves_that_count_errors_are_both_named(server: Server) -> None:
    server.observer.pool(vdevs=a_tree(a_leaf("a", "101", read=1), a_leaf("b", "102", write=2)))
    assert "a-part1 1 read, 0 write and 0 checksum errors, b-part1 0 read, 2 write" in server.only().sentence
    assert RIGHT.read == 0


QUIET = {"clean", "never scanned", "none requested"}  # but for the scrub, which is old or never was


@pytest.mark.parametrize("name", WRITTEN)
def test_whatever_zpool_prints_of_trouble_leads_to_a_concern(server: Server, name: str) -> None:
    (health, *_) = read_status(WRITTEN[name]).pools
    space = a_pool(NOW).space
    seen = a_pool_seen(msgspec.structs.replace(health, name="tank", space=space), devices={})
    server.observer.pools["tank"] = server.observer.part(seen)
    found = {each.kind for each in server.seen()} - {"disk_unconfigured"}
    assert (found <= {"scrub_old"}) == (name in QUIET), found
