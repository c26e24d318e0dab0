"""Cut, garbled, reordered, renamed and scaled outputs: never a traceback, never healthier than what was printed."""

import copy
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bkp.zfs_health.from_json import read_status_json
from bkp.zfs_health.from_text import read_status
from bkp.zfs_health.listing import read_datasets, read_keys, read_pools, read_snapshots
from bkp.zfs_health.model import PoolHealth, Reading, Vdev, every_vdev, worst
from tests.support.zpool_written import CLEAN, HEADING, TABLE, WRITTEN, status

TEXTS = sorted(WRITTEN.values())
BAD = [text for kind, text in sorted(WRITTEN.items()) if kind not in {"clean", "never scanned", "none requested"}]
GARBAGE = "#\x00\ufffdé"
NAMES = st.text("abcXYZ0189-_.:", min_size=1, max_size=30)


def looks_healthy(pool: PoolHealth) -> bool:
    """Return whether nothing at all speaks against the pool, unknown values included."""
    return (
        (pool.state, pool.suspended, pool.data_errors, pool.problems) == ("ONLINE", False, 0, ())
        and worst(pool) in {"ONLINE", "AVAIL"}
        and all(counted(vdev) == 0 for vdev in every_vdev(pool) if vdev.vdev_class != "spare")
        and pool.scrub.state in {"finished", "never"}
        and pool.scrub.errors in {0, None}
    )


def counted(vdev: Vdev) -> int | None:
    found = (vdev.read, vdev.write, vdev.checksum)
    return None if None in found else sum(each or 0 for each in found)


def not_healthier(reading: Reading, printed: Reading) -> None:
    """Fail if a pool reads better than the one that was printed."""
    msgspec.json.encode(reading)
    before = {pool.name: pool for pool in printed.pools}
    for pool in reading.pools:
        whole = before.get(pool.name)
        if whole is None:
            continue
        assert looks_healthy(whole) or not looks_healthy(pool)
        if whole.suspended:
            assert pool.suspended is not False
        if whole.data_errors != 0:
            assert pool.data_errors != 0
        if whole.scrub.state != "finished":
            assert pool.scrub.state != "finished"
        if whole.scrub.errors:
            assert pool.scrub.errors in {None, whole.scrub.errors}


@given(st.sampled_from(TEXTS), st.data())
def test_a_cut_text_reads_no_healthier_and_not_as_whole(text: str, data: st.DataObject) -> None:
    cut = text[: data.draw(st.integers(0, len(text) - 2))]
    reading, printed = read_status(cut), read_status(text)
    not_healthier(reading, printed)
    whole = printed.pools[0]
    assert all(pool.problems or pool == whole or pool.data_errors for pool in reading.pools)
    assert reading.pools or reading.problem


@pytest.mark.parametrize("text", BAD)
def test_no_cut_of_a_bad_pool_looks_healthy(text: str) -> None:
    for end in range(len(text)):
        assert not any(looks_healthy(pool) for pool in read_status(text[:end]).pools)


def test_a_cut_counter_is_unknown_and_not_smaller() -> None:
    text = WRITTEN["never scanned"].replace(
        "RIGHT_02        ONLINE       0     0     0", "RIGHT_02        ONLINE       0     0  1234"
    )
    for end in range(text.index("1234") + 1, text.index("1234") + 4):
        leaf = list(every_vdev(read_status(text[:end]).pools[0]))[-1]
        assert (leaf.read, leaf.checksum) == (0, None)


@given(st.sampled_from(TEXTS), st.lists(st.tuples(st.integers(0), st.sampled_from(GARBAGE)), min_size=1, max_size=6))
def test_a_garbled_text_reads_no_healthier(text: str, places: list[tuple[int, str]]) -> None:
    garbled = list(text)
    for place, garbage in places:
        garbled[place % len(text)] = garbage
    not_healthier(read_status("".join(garbled)), read_status(text))


@pytest.mark.parametrize("line", [" state: ONLINE\n", CLEAN, HEADING, TABLE])
def test_without_state_errors_or_table_no_pool_looks_healthy(line: str) -> None:
    text = WRITTEN["clean"]
    assert looks_healthy(read_status(text).pools[0])
    found = read_status(text.replace(line, "")).pools[0]
    # without its heading the table is still read, and so may the pool be
    assert looks_healthy(found) is (line == HEADING)


def test_a_group_whose_members_are_gone_is_no_device() -> None:
    members = [line for line in TABLE.splitlines(keepends=True) if "ata-" in line]
    text = WRITTEN["clean"]
    for line in members:
        text = text.replace(line, "")
    assert not looks_healthy(read_status(text).pools[0])


@given(st.permutations(WRITTEN["degraded"].splitlines(keepends=True)))
def test_lines_in_any_order_never_look_healthy(lines: list[str]) -> None:
    reading = read_status("".join(lines))
    msgspec.json.encode(reading)
    assert not any(looks_healthy(pool) for pool in reading.pools)


@given(st.permutations(range(len(TEXTS))))
def test_pools_in_any_order_read_the_same(order: list[int]) -> None:
    renamed = [text.replace("cellar", f"pool{number}") for number, text in enumerate(TEXTS)]
    reading = read_status("\n".join(renamed[number] for number in order))
    assert {pool.name: pool for pool in reading.pools} == {
        pool.name: pool for text in renamed for pool in read_status(text).pools
    }


@given(st.sampled_from(TEXTS), NAMES, NAMES)
def test_other_names_change_nothing_else(text: str, pool: str, device: str) -> None:
    renamed = read_status(text.replace("cellar", pool).replace("ata-LEFT_01", device)).pools[0]
    printed = read_status(text).pools[0]
    assert renamed.name == pool
    assert (renamed.state, renamed.suspended, renamed.data_errors, worst(renamed)) == (
        printed.state,
        printed.suspended,
        printed.data_errors,
        worst(printed),
    )
    assert [counted(vdev) for vdev in every_vdev(renamed)] == [counted(vdev) for vdev in every_vdev(printed)]


@given(st.integers(1, 999), st.integers(0, 99), st.sampled_from("KMGTPE"), st.sampled_from(".,"))
def test_a_scaled_counter_is_never_zero_nor_below_its_printed_value(
    whole: int, part: int, unit: str, point: str
) -> None:
    text = WRITTEN["never scanned"].replace(
        "     0     0     0\n\nerrors", f" {whole}{point}{part:02}{unit}     0     0\n\nerrors"
    )
    leaf = list(every_vdev(read_status(text).pools[0]))[-1]
    factor = 1024 ** ("KMGTPE".index(unit) + 1)
    if whole * factor + 1 >= 1 << 64:
        assert leaf.read is None or leaf.read >= whole * factor
    else:
        assert leaf.read is None or (leaf.read >= whole * factor and leaf.rounded)
        assert leaf.read is not None or (whole + 1) * factor >= 1 << 64


@given(st.text() | st.text("\t\n :NAMESTATEpolerstcngf0123456789", max_size=400))
def test_any_text_is_read_without_a_traceback(text: str) -> None:
    for said in (
        text,
        WRITTEN["clean"] + text,
        "  pool: x\n" + text,
        "  pool: x\n  scan: " + text,
        WRITTEN["clean"][:200] + text,
    ):
        msgspec.json.encode(read_status(said))
    for read in (read_pools, read_datasets, read_keys, read_snapshots):
        msgspec.json.encode(read(text))


def test_a_long_line_is_read_in_bounded_time() -> None:
    blanks = " " * 100_000
    for line in (f"\tx{blanks}y", f"  scan: scrub{blanks}1 scanned,{blanks}", "1 scanned, " * 50_000):
        text = status(above=f"  scan: {line}\n", table=TABLE + line + "\n")
        assert not looks_healthy(read_status(text).pools[0])


def test_depth_without_end_is_bounded() -> None:
    rows = "".join(f"\t{' ' * depth}x{depth}  ONLINE 0 0 0\n" for depth in range(500))
    pool = read_status(
        f"  pool: x\n state: ONLINE\nconfig:\n\n\tNAME STATE READ WRITE CKSUM\n{rows}\nerrors: x\n"
    ).pools[0]
    assert len(list(every_vdev(pool))) == 500
    msgspec.json.encode(pool)


LEAF = {
    "name": "a", "vdev_type": "disk", "state": "CANT_OPEN", "aux": "OPEN_FAILED", "read_errors": 3, "write_errors": 9,
    "checksum_errors": 0, "slow_ios": 1,
}  # fmt: skip
GROUP = {"state": "DEGRADED", "read_errors": 0, "write_errors": 0, "checksum_errors": 0}
MIRROR = {"name": "mirror-0", "vdev_type": "mirror", **GROUP, "vdevs": {"a": LEAF}}
POOL = {
    "name": "cellar", "state": "DEGRADED", "pool_guid": 12345678901234567890, "msgid": "ZFS-8000-8A", "error_count": 4,
    "status": "One or more devices are faulted in response to IO failures.",
    "scan_stats": {"function": "SCRUB", "state": "FINISHED", "start_time": 1, "end_time": 2, "errors": 3},
    "vdevs": {"cellar": {"name": "cellar", "vdev_type": "root", **GROUP, "vdevs": {"mirror-0": MIRROR}}},
}  # fmt: skip
SICK: dict[str, Any] = {"pools": {"cellar": POOL}}
SCALARS: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=12)
    | st.just([])
    | st.just({})
)


def places(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the path of every key of nested objects."""
    found = []
    for key, inner in value.items() if isinstance(value, dict) else ():
        found += [(*path, key), *places(inner, (*path, key))]
    return found


PLACES = places(SICK)


@given(st.sampled_from(PLACES), st.just(None) | SCALARS, st.booleans())
def test_json_without_some_value_or_with_another_kind_reads_no_healthier(
    place: tuple[str, ...], value: Any, taken: bool
) -> None:
    changed = copy.deepcopy(SICK)
    holder = changed
    for key in place[:-1]:
        holder = holder[key]
    kept = holder.pop(place[-1])
    if not taken and type(value) is not type(kept):
        holder[place[-1]] = value
    reading = read_status_json(json.dumps(changed))
    msgspec.json.encode(reading)
    assert not any(looks_healthy(pool) for pool in reading.pools)
    if place[-1] == "error_count":
        assert all(pool.data_errors != 0 for pool in reading.pools)
    if place[-1] in {"msgid", "state"}:
        assert all(pool.suspended for pool in reading.pools)


def shuffled(value: Any, turn: int) -> Any:
    """Return nested objects with their keys in another order."""
    if not isinstance(value, dict):
        return value
    keys = sorted(value, key=lambda key: hash((key, turn)))
    return {key: shuffled(value[key], turn) for key in keys}


@pytest.mark.parametrize("spoilt", [5, "x", True, []])
@pytest.mark.parametrize("place", ["vdevs", "logs", "spares", "l2cache", "special"])
def test_devices_in_json_that_are_none_are_said(place: str, spoilt: object) -> None:
    well = json.loads(json.dumps(SICK).replace("CANT_OPEN", "ONLINE").replace("DEGRADED", "ONLINE"))
    pool = well["pools"]["cellar"]
    holder = pool["vdevs"]["cellar"]["vdevs"]["mirror-0"] if place == "vdevs" else pool
    holder[place] = spoilt
    assert read_status_json(json.dumps(well)).pools[0].problems


def test_a_class_of_devices_that_nobody_knows_yet_hides_none_of_them() -> None:
    well = json.loads(json.dumps(SICK).replace("CANT_OPEN", "ONLINE").replace("DEGRADED", "ONLINE"))
    well["pools"]["cellar"]["fastlane"] = {"a": LEAF | {"state": "FAULTED"}}
    (pool,) = read_status_json(json.dumps(well)).pools
    assert [vdev.state for vdev in every_vdev(pool) if vdev.name == "a"] == ["ONLINE", "FAULTED"]


@given(st.integers())
def test_json_in_another_order_reads_the_same(turn: int) -> None:
    assert read_status_json(json.dumps(shuffled(SICK, turn))) == read_status_json(json.dumps(SICK))


@given(st.sampled_from(PLACES), NAMES)
def test_json_with_a_renamed_key_reads_no_healthier(place: tuple[str, ...], name: str) -> None:
    changed = copy.deepcopy(SICK)
    holder = changed
    for key in place[:-1]:
        holder = holder[key]
    holder[name] = holder.pop(place[-1])
    assert not any(looks_healthy(pool) for pool in read_status_json(json.dumps(changed)).pools)


@given(
    st.integers(1, 999), st.integers(0, 99), st.sampled_from("KMGTP"), st.sampled_from(["error_count", "read_errors"])
)
def test_a_scaled_number_in_json_is_never_zero_nor_below_its_printed_value(
    whole: int, part: int, unit: str, key: str
) -> None:
    said = f"{whole}.{part:02}{unit}"
    changed = copy.deepcopy(SICK)
    pool = changed["pools"]["cellar"]
    (pool if key == "error_count" else pool["vdevs"]["cellar"])[key] = said
    found = read_status_json(json.dumps(changed)).pools[0]
    number = found.data_errors if key == "error_count" else found.vdevs[0].read
    assert isinstance(number, int)
    assert number >= whole * 1024 ** ("KMGTP".index(unit) + 1)


@given(st.integers(0, len(json.dumps(SICK)) - 1))
def test_cut_json_gives_no_pool_and_the_reason(end: int) -> None:
    reading = read_status_json(json.dumps(SICK)[:end])
    assert reading.pools == ()
    assert reading.problem


KEYS = st.sampled_from([place[-1] for place in PLACES]) | st.text(max_size=3)


@given(st.recursive(SCALARS, lambda inner: st.dictionaries(KEYS, inner, max_size=4), max_leaves=12))
def test_any_json_is_read_without_a_traceback(value: Any) -> None:
    for document in (value, {"pools": value}, {"pools": {"cellar": value}}):
        msgspec.json.encode(read_status_json(json.dumps(document)))
