"""What `zpool status -j` prints, and that it is read to the same records as the text of the same pool."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bkp.zfs_health.from_json import read_status_json
from bkp.zfs_health.from_text import read_status
from bkp.zfs_health.model import PoolHealth, Scan, Vdev, every_vdev, worst
from tests.support.zpool_written import HEADING, row, status

RECORDED = Path(__file__).resolve().parents[2] / "fixtures" / "zfs" / "trixie"
STATES = sorted(path.name.removesuffix(".zpool-status-j.json") for path in RECORDED.glob("*.zpool-status-j.json"))


def disk(name: str, **more: Any) -> dict[str, Any]:
    counters = {"read_errors": 0, "write_errors": 0, "checksum_errors": 0, "slow_ios": 0}
    return {"name": name, "vdev_type": "disk", "class": "normal", "state": "ONLINE", **counters, **more}


def group(name: str, *members: dict[str, Any], **more: Any) -> dict[str, Any]:
    found = {**disk(name, vdev_type="mirror"), "vdevs": {each["name"]: each for each in members}, **more}
    del found["slow_ios"]
    return found


def pool_item(*members: dict[str, Any], **more: Any) -> dict[str, Any]:
    vdevs = {"cellar": group("cellar", *members, vdev_type="root")}
    return {"name": "cellar", "state": "ONLINE", "pool_guid": 2**63 + 5, "vdevs": vdevs, "error_count": 0, **more}


def read(item: dict[str, Any], now: datetime | None = None) -> PoolHealth:
    reading = read_status_json(json.dumps({"pools": {"cellar": item}}), now=now)
    assert reading.problem is None
    return reading.pools[0]


def recorded(name: str) -> str:
    said: str = json.loads((RECORDED / name).read_text("utf-8"))["stdout"]
    return said


def known_to_both(scan: Scan) -> Scan:
    """Return the scan without what only JSON tells: sizes of one that ended, errors of one that runs, exact sizes."""
    ended = scan.state in {"finished", "canceled"}
    sizes = dict.fromkeys(("repaired", "scanned", "issued", "total"))
    return msgspec.structs.replace(scan, rounded=False, **sizes, errors=scan.errors if ended else None)


def bare(vdev: Vdev) -> Vdev:
    """Return the vdev without what the text never tells."""
    return msgspec.structs.replace(
        vdev, guid=None, path=None, slow=None, children=tuple(bare(child) for child in vdev.children)
    )


@pytest.mark.parametrize("state", STATES)
def test_text_and_json_of_one_recorded_pool_are_read_alike(state: str) -> None:
    text = read_status(recorded(f"{state}.zpool-status.json")).pools[0]
    told = read_status_json(recorded(f"{state}.zpool-status-j.json")).pools[0]
    for kind in ("scrub", "resilver", "error_scrub"):
        assert known_to_both(getattr(told, kind)) == known_to_both(getattr(text, kind))
    assert tuple(bare(vdev) for vdev in told.vdevs) == tuple(bare(vdev) for vdev in text.vdevs)
    for scan in ("scrub", "resilver"):
        exact, scaled = getattr(told, scan).repaired, getattr(text, scan).repaired
        assert exact == scaled or exact == pytest.approx(scaled, rel=0.01)
    same = {"guid": None, "vdevs": (), "scrub": Scan(), "resilver": Scan()}
    assert msgspec.structs.replace(told, **same) == msgspec.structs.replace(text, **same)


def test_remarks_and_states_become_the_words_of_the_text() -> None:
    told = read(
        pool_item(
            group(
                "mirror-0",
                disk("a", state="CANT_OPEN", aux="OPEN_FAILED"),
                disk("b", state="CANT_OPEN", aux="CORRUPT_DATA"),
                disk("c", state="FAULTED", aux="ERR_EXCEEDED", read_errors=5),
                disk("1234567890", state="CANT_OPEN", guid=1234567890, path="/dev/x1", not_present=1, was="/dev/x1"),
                disk("e", configured_ashift=9, physical_ashift=12),
                state="DEGRADED",
            ),
            state="DEGRADED",
            logs={"l": disk("l", state="CLOSED", **{"class": "log"})},
            l2cache={"m": disk("m", noalloc=1)},
            spares={"s": {"name": "s", "state": "INUSE", "aux": "SPARED"}},
        )
    )
    table = (
        HEADING
        + row("cellar", "ONLINE", depth=0)
        + row("mirror-0", "DEGRADED", depth=1)
        + row("a", "UNAVAIL", note="cannot open")
        + row("b", "FAULTED", note="corrupted data")
        + row("c", "FAULTED", "5", note="too many errors")
        + row("1234567890", "UNAVAIL", note="was /dev/x1")
        + row("e", "ONLINE", note="block size: 512B configured, 4096B native")
        + "\tlogs\t\n"
        + row("l", "OFFLINE", depth=1)
        + "\tcache\n"
        + row("m", "ONLINE", note="(non-allocating)", depth=1)
        + "\tspares\n\t  s                     INUSE     currently in use\n"
    )
    text = read_status(status(state="DEGRADED", table=table)).pools[0]
    assert [bare(vdev) for vdev in told.vdevs] == [bare(vdev) for vdev in text.vdevs]
    assert told.guid == str(2**63 + 5)


def test_devices_at_work_are_remarked() -> None:
    stats = {"function": "RESILVER", "state": "SCANNING", "start_time": 1_700_000_000}
    told = read(
        pool_item(
            disk("a", scan_processed=4096, trim_state="ACTIVE"),
            disk("b", resilver_deferred=1, init_state="ACTIVE"),
            disk("c", state="FAULTED", scan_processed=4096, removing=1),
            disk("d", state="FAULTED", aux="ERR_EXCEEDED", slow_ios=9),
            scan_stats=stats,
        )
    )
    assert [vdev.notes for vdev in told.vdevs[0].children] == [
        ("resilvering", "trimming"),
        ("awaiting resilver", "initializing"),
        ("removing",),
        ("too many slow I/Os",),
    ]


def test_scaled_strings_are_read_as_in_text() -> None:
    leaf = disk("a", read_errors="1.32K", write_errors="0", checksum_errors="17")
    told = read(pool_item(leaf, error_count="1.1K"))
    found = told.vdevs[0].children[0]
    assert (found.read, found.write, found.checksum, found.rounded) == (1351, 0, 17, True)
    assert told.data_errors == 1126


def test_a_flat_map_loses_no_device() -> None:
    flat = {"cellar": disk("cellar", vdev_type="root"), "mirror-0": group("mirror-0", disk("a"), disk("b"))}
    flat |= {"a": disk("a"), "b": disk("b"), "c": disk("c", state="FAULTED"), "l": disk("l", **{"class": "l2cache"})}
    told = read({**pool_item(), "vdevs": flat})
    assert [vdev.name for vdev in every_vdev(told)] == ["cellar", "mirror-0", "a", "b", "c", "l"]
    assert [vdev.vdev_class for vdev in every_vdev(told)].count("cache") == 1
    assert worst(told) == "FAULTED"
    assert told.problems == ()


def test_a_scrub_error_scrub_and_rebuild_are_told_apart() -> None:
    stats = {
        "function": "SCRUB", "state": "FINISHED", "start_time": 1_700_000_000, "end_time": 1_700_000_060, "errors": 2,
        "processed": 4096, "err_scrub_func": "ERRORSCRUB", "err_scrub_state": "ERRORSCRUBBING",
        "err_scrub_start_time": 1_700_000_100, "err_scrub_examined": 4, "err_scrub_to_examine": 1,
        "rebuild_stats": {"draid1-0": {"name": "draid1-0", "state": "COMPLETE", "end_time": 1_700_000_050, "errors": 0,
                                       "rebuilt": 8192, "scan_time": 2_000_000_000}},
    }  # fmt: skip
    told = read(pool_item(disk("a"), scan_stats=stats))
    assert (told.scrub.state, told.scrub.errors, told.scrub.repaired, told.scrub.duration) == ("finished", 2, 4096, 60)
    assert (told.error_scrub.state, told.error_scrub.progress) == ("in progress", 0.8)
    assert (told.resilver.state, told.resilver.vdev, told.resilver.duration) == ("finished", "draid1-0", 2)


def test_the_time_left_is_computed_as_for_text() -> None:
    stats = {
        "function": "SCRUB", "state": "SCANNING", "start_time": 1_700_000_000, "pass_start": 1_700_000_000,
        "scrub_spent_paused": 20, "to_examine": 90 << 30, "skipped": 10 << 30, "issued": 20 << 30,
        "issued_bytes_per_scan": 20 << 30, "processed": 0, "examined": 30 << 30, "errors": 0, "scrub_pause": 0,
    }  # fmt: skip
    now = datetime.fromtimestamp(1_700_000_120, UTC)
    assert read(pool_item(disk("a"), scan_stats=stats), now).scrub.time_left == 300
    assert read(pool_item(disk("a"), scan_stats=stats)).scrub.time_left is None
    paused = read(pool_item(disk("a"), scan_stats={**stats, "scrub_pause": 1_700_000_100}), now).scrub
    assert (paused.state, paused.time_left, paused.progress) == ("paused", None, 0.25)


def test_removal_expansion_and_checkpoint_are_read() -> None:
    told = read(
        pool_item(
            disk("a"),
            removal_stats={"name": "mirror-1", "state": "SCANNING", "to_copy": 400, "copied": 100, "start_time": 1},
            raidz_expand_stats={
                "name": "raidz1", "state": "SCANNING", "expanding_vdev": 0, "to_reflow": 200, "reflowed": 100,
                "waiting_for_resilver": 1,
            },
            checkpoint_stats={"state": "EXISTS", "space": 77, "start_time": 1_700_000_000},
        )
    )  # fmt: skip
    assert told.removal is not None
    assert (told.removal.state, told.removal.vdev, told.removal.progress) == ("in progress", "mirror-1", 0.25)
    assert told.expansion is not None
    assert (told.expansion.state, told.expansion.vdev, told.expansion.progress) == ("paused", "raidz1-0", 0.5)
    assert told.checkpoint is not None
    assert (told.checkpoint.state, told.checkpoint.size) == ("exists", 77)


@pytest.mark.parametrize(
    "more", [{"msgid": "ZFS-8000-HC"}, {"state": "SUSPENDED"}, {"status": "The pool is suspended because"}]
)
def test_suspension_is_told_by_any_of_its_signs(more: dict[str, Any]) -> None:
    assert read(pool_item(disk("a"), **more)).suspended is True


def test_listed_files_are_counted_and_not_kept() -> None:
    told = read(pool_item(disk("a"), error_count=1, errlist=["cellar/x:/aunt.txt", "cellar/x@y:/aunt.txt"]))
    assert told.data_errors == 2
    assert b"aunt" not in msgspec.json.encode(told)
    unlisted = pool_item(disk("a"), errlist="permission denied")
    del unlisted["error_count"]
    assert read(unlisted).data_errors == "some"


def test_what_the_json_lacks_is_unknown() -> None:
    told = read_status_json('{"pools": {"cellar": {}, "attic": 3}}').pools
    assert [(pool.name, pool.state, pool.suspended, pool.data_errors) for pool in told] == [
        ("cellar", None, None, None),
        ("attic", None, None, None),
    ]
    assert all(pool.problems and worst(pool) == "UNKNOWN" and pool.scrub.state == "unknown" for pool in told)


def test_a_group_without_members_is_a_problem() -> None:
    told = read(pool_item(disk("mirror-0", vdev_type="mirror")))
    assert "a group of devices lacks its members" in told.problems


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"pools": []}', "no pools available\n", "[" * 5000, "\ud800"])
def test_what_is_no_status_gives_no_pool_and_the_reason(text: str) -> None:
    assert read_status_json(text).problem
    assert read_status_json(text).pools == ()


def test_no_pool_is_an_answer() -> None:
    assert read_status_json('{"pools": {}}').problem is None
